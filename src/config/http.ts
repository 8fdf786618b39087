/** The settings of `bootwright serve`, a part of config.ts. */
import { resolve } from "node:path";
import { z } from "zod";

/** `PORT`, `ADDRESS:PORT` or `[IPV6]:PORT`. The default address is 127.0.0.1. Port 0 is any free port. */
const listenAt = (lowest: 0 | 1, example: number) =>
  z
    .union([z.string(), z.number().transform(String)], { error: "expected [ADDRESS:]PORT" })
    .transform((text, context) => {
      const [, bracketed, plain, port] = /^(?:\[([0-9a-f:.]+)\]:|([\w.-]+):)?(\d{1,5})$/i.exec(text) ?? [];
      if (port !== undefined && Number(port) >= lowest && Number(port) <= 65_535)
        return { address: bracketed ?? plain ?? "127.0.0.1", port: Number(port) };
      const examples = `${example} or 192.168.122.1:${example} say`;
      context.addIssue({ code: "custom", message: `"${text}" is no [ADDRESS:]PORT, ${examples}` });
      return z.NEVER;
    });
const file = z
  .string({ error: "expected a file" })
  .min(1, "expected a file")
  .transform((path) => resolve(path));
/** An issuer's answers must not be changed on their way, so the URL is https or on loopback. */
const safeUrl = z
  .string({ error: "expected a URL" })
  .refine(
    (text) =>
      /^(https:\/\/|http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:|\/|$))[^?#\s]*$/.test(text) && URL.canParse(text),
    "expected an https URL, or an http one on loopback, without ? and #",
  );
const HostName = z
  .string({ error: "expected NAME or NAME:PORT" })
  .regex(/^[\w.-]+(:\d{1,5})?$/, "expected NAME or NAME:PORT");

export type Listen = Readonly<{ address: string; port: number }>;

export const httpSettings = {
  "guest-listen": {
    schema: listenAt(1, 8473),
    fallback: () => undefined,
    shown: "none",
    help: "Where guests may call their links, and nothing else: [ADDRESS:]PORT, on 127.0.0.1 by default",
  },
  listen: {
    schema: listenAt(0, 8420),
    fallback: () => "127.0.0.1:8420",
    shown: "127.0.0.1:8420",
    help: "Where serve listens: [ADDRESS:]PORT, on 127.0.0.1 by default",
  },
  "allow-host": {
    schema: z.array(HostName, { error: "expected a list of names" }),
    fallback: () => [],
    shown: "none",
    help: "Further host name of serve: NAME or NAME:PORT (repeatable)",
  },
  "token-file": {
    schema: file,
    fallback: () => undefined,
    shown: "http.token in the data directory",
    help: "File of the token with every scope over HTTP; BOOTWRIGHT_TOKEN may hold the token itself",
  },
  "oauth-issuer": {
    schema: safeUrl,
    fallback: () => undefined,
    shown: "none",
    help: "OAuth issuer whose access tokens serve accepts too, with scopes vm:read, vm:write and vm:destroy",
  },
  "oauth-audience": {
    schema: safeUrl,
    fallback: () => undefined,
    shown: "none",
    help: "The audience of that issuer's tokens: the URL of /mcp for clients",
  },
  "tls-cert": {
    schema: file,
    fallback: () => undefined,
    shown: "none",
    help: "File of serve's TLS certificate, in PEM",
  },
  "tls-key": {
    schema: file,
    fallback: () => undefined,
    shown: "none",
    help: "File of the certificate's key, in PEM",
  },
} as const;

export type HttpConfig = Readonly<{
  listen: Listen;
  allowHosts: readonly string[];
  tokenFile?: string;
  /** From the environment alone, since every user can read a process's arguments. */
  token?: string;
  tls?: Readonly<{ cert: string; key: string }>;
  oauth?: Readonly<{ issuer: string; audience: string }>;
}>;

/** `value` returns a parsed setting. @throws Error for a setting without the other that it needs */
export function httpConfig(value: (name: keyof typeof httpSettings) => unknown, token: string | undefined): HttpConfig {
  const [tokenFile, cert, key] = (["token-file", "tls-cert", "tls-key"] as const).map(value) as (string | undefined)[];
  if ((cert === undefined) !== (key === undefined))
    throw new Error(`Cannot use --tls-${cert === undefined ? "key" : "cert"} alone: a certificate needs its key`);
  const [issuer, audience] = (["oauth-issuer", "oauth-audience"] as const).map(value) as (string | undefined)[];
  if ((issuer === undefined) !== (audience === undefined))
    throw new Error(
      `Cannot use --oauth-${issuer === undefined ? "audience" : "issuer"} alone: an issuer needs an audience, and an audience an issuer`,
    );
  return {
    listen: value("listen") as HttpConfig["listen"],
    allowHosts: value("allow-host") as string[],
    ...(tokenFile !== undefined && { tokenFile }),
    ...(token && { token }),
    ...(cert !== undefined && key !== undefined && { tls: { cert, key } }),
    ...(issuer !== undefined && audience !== undefined && { oauth: { issuer, audience } }),
  };
}
