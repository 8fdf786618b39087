/** Checks a request's Host and Origin. They protect against DNS rebinding and against requests of foreign pages. */
import { isIP } from "node:net";
import { HttpError } from "./http-error.ts";

export type Here = Readonly<{
  /** The local address and port of the connection. */
  address: string;
  port: number;
  scheme: "http" | "https";
}>;

const loopbackNames = ["localhost", "127.0.0.1", "[::1]"];
const bracketed = (address: string) => (isIP(address) === 6 ? `[${address}]` : address);
/** Strips the prefix of an IPv4 address on a dual-stack socket. */
const plain = (address: string) => (address.startsWith("::ffff:") ? address.slice(7) : address);
const isLoopback = (address: string) => address === "::1" || address.startsWith("127.");

/** Checks the Host header. `allowed` are further names, each for one port or for any.
 * @throws HttpError HOST_REFUSED */
export function checkHost(host: string | undefined, here: Here, allowed: readonly string[]): void {
  const asked = (host ?? "").toLowerCase();
  const [, name = "", port] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(asked) ?? [];
  const usual = here.scheme === "https" ? 443 : 80;
  const address = plain(here.address);
  const own = [bracketed(address), ...(isLoopback(address) ? loopbackNames : [])];
  const isOwn = own.includes(name) && Number(port ?? usual) === here.port;
  if (name !== "" && (isOwn || allowed.some((one) => one === name || one === asked))) return;
  throw new HttpError("HOST_REFUSED", { host: asked.slice(0, 200) });
}

/** Refuses pages of another origin.
 * @throws HttpError ORIGIN_REFUSED */
export function checkOrigin(headers: Headers, { scheme }: Here): void {
  const origin = headers.get("origin");
  if (origin === null || sameHost(origin, scheme, headers.get("host"))) return;
  throw new HttpError("ORIGIN_REFUSED", { origin: origin.slice(0, 200) });
}

/** Refuses requests with a cookie that do not come from this server's own page. SameSite does not suffice: another port of
 * this host counts as the same site.
 * @throws HttpError ORIGIN_REFUSED */
export function checkSameOrigin(method: string, headers: Headers): void {
  const site = headers.get("sec-fetch-site");
  const isLook = method === "GET" || method === "HEAD";
  // An address typed by hand has no site.
  if (site === "same-origin" || (isLook && (site === null || site === "none"))) return;
  if (site === null && headers.get("origin") !== null) return;
  throw new HttpError("ORIGIN_REFUSED", {
    origin: headers.get("origin")?.slice(0, 200) ?? `a ${site ?? "silent"} site`,
  });
}

/** Behind a TLS proxy the page's scheme is https and the server's http. */
function sameHost(origin: string, scheme: string, host: string | null): boolean {
  if (host === null) return false;
  const asked = host.toLowerCase();
  return origin.toLowerCase() === `${scheme}://${asked}` || origin.toLowerCase() === `https://${asked}`;
}

/** The fault of a request target whose path is ambiguous, such as one with `..` or `//`. The raw text is checked, since a
 * URL parser would normalise it. */
export function faultInTarget(target: string): string | undefined {
  const path = target.split(/[?#]/, 1)[0]!;
  if (!path.startsWith("/")) return "its target is no path";
  if (/%(?![0-9a-f]{2})/i.test(path) || /[^\x21-\x7e]/.test(path)) return "its path is not encoded as it must be";
  if (/%(?:[01][0-9a-f]|7f)/i.test(path)) return "its path has control characters in it";
  if (/\/\/|\\|%5c/i.test(path)) return "its path has an empty part or a backslash";
  const parts = path.split(/\/|%2f/i).map((part) => part.replace(/%2e/gi, "."));
  return parts.some((part) => part === "." || part === "..") ? "its path has a part . or .." : undefined;
}
