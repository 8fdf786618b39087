/** The settings of `bootwright serve`, for the tests of settings. */
import type { Config } from "../src/config/config.ts";
import type { httpSettings } from "../src/config/http.ts";

/** A value as flag, variable and key of the file, what is read from each, and what is the default. */
export type Row = {
  of: (config: Config) => unknown;
  also?: string[];
  flag: string[];
  text: string;
  file: unknown;
  read: unknown[];
};
/** An issuer and whom its tokens are made out to come together. */
function oauthPart<N extends "oauth-issuer" | "oauth-audience">(name: N, other: string): Record<N, Row> {
  const [flag, text, file] = ["https://f.example/mcp", "https://e.example", "http://127.0.0.1:81/c"];
  const row = {
    of: ({ http }: Config) => http.oauth?.[name === "oauth-issuer" ? "issuer" : "audience"],
    also: [other, "https://o.example"],
    flag: [`--${name}`, flag],
    text,
    file,
    read: [flag, text, file, undefined],
  };
  return { [name]: row } as unknown as Record<N, Row>;
}

/** A certificate and its key come together. */
function tlsPart<N extends "tls-cert" | "tls-key">(name: N, part: "cert" | "key", other: string): Record<N, Row> {
  const row = {
    of: ({ http }: Config) => http.tls?.[part],
    also: [other, "/o"],
    flag: [`--${name}`, "/f"],
    text: "/e",
    file: "/c",
    read: ["/f", "/e", "/c", undefined],
  };
  return { [name]: row } as unknown as Record<N, Row>;
}

export const httpTable: Record<keyof typeof httpSettings, Row> = {
  "guest-listen": {
    of: ({ guestListen: at }) => at && `${at.address} ${at.port}`,
    flag: ["--guest-listen", "192.168.122.1:8473"],
    text: "[::1]:8473",
    file: 8474,
    read: ["192.168.122.1 8473", "::1 8473", "127.0.0.1 8474", undefined],
  },
  listen: {
    of: ({ http }) => http.listen,
    flag: ["--listen", "192.168.122.1:80"],
    text: "[::1]:8000",
    file: 0,
    read: [
      { address: "192.168.122.1", port: 80 },
      { address: "::1", port: 8_000 },
      { address: "127.0.0.1", port: 0 },
      { address: "127.0.0.1", port: 8_420 },
    ],
  },
  "allow-host": {
    of: ({ http }) => http.allowHosts,
    flag: ["--allow-host", "a.example", "--allow-host", "b:81"],
    text: "c.example;d:82",
    file: ["e"],
    read: [["a.example", "b:81"], ["c.example", "d:82"], ["e"], []],
  },
  "token-file": {
    of: ({ http }) => http.tokenFile,
    flag: ["--token-file", "/f"],
    text: "/e",
    file: "/c",
    read: ["/f", "/e", "/c", undefined],
  },
  ...oauthPart("oauth-issuer", "--oauth-audience"),
  ...oauthPart("oauth-audience", "--oauth-issuer"),
  ...tlsPart("tls-cert", "cert", "--tls-key"),
  ...tlsPart("tls-key", "key", "--tls-cert"),
};
