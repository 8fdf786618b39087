/** Whom a request is for and which page it comes from. A name that somebody else's DNS points at this server must not
 * make a browser take it for that somebody's. */
import { isIP } from "node:net";
import { HttpError } from "./http-error.ts";

export type Here = Readonly<{
  /** The address and port that the connection came in on. */
  address: string;
  port: number;
  scheme: "http" | "https";
}>;

const loopbackNames = ["localhost", "127.0.0.1", "[::1]"];
const bracketed = (address: string) => (isIP(address) === 6 ? `[${address}]` : address);
/** An IPv4 address that came in on a socket for both. */
const plain = (address: string) => (address.startsWith("::ffff:") ? address.slice(7) : address);
const isLoopback = (address: string) => address === "::1" || address.startsWith("127.");

/** What this server may be called: `allowed` are further names, each with a port or for any.
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

/** A page may only call the server that it came from.
 * @throws HttpError ORIGIN_REFUSED */
export function checkOrigin(headers: Headers, { scheme }: Here): void {
  const origin = headers.get("origin");
  if (origin === null || sameHost(origin, scheme, headers.get("host"))) return;
  throw new HttpError("ORIGIN_REFUSED", { origin: origin.slice(0, 200) });
}

/** A cookie goes out with whatever a browser is made to send, so the browser must say that it is this server's page that
 * asks: another port of this host counts as the same site. @throws HttpError ORIGIN_REFUSED */
export function checkSameOrigin(method: string, headers: Headers): void {
  const site = headers.get("sec-fetch-site");
  const isLook = method === "GET" || method === "HEAD";
  // An address typed by hand comes from nowhere.
  if (site === "same-origin" || (isLook && (site === null || site === "none"))) return;
  if (site === null && headers.get("origin") !== null) return;
  throw new HttpError("ORIGIN_REFUSED", {
    origin: headers.get("origin")?.slice(0, 200) ?? `a ${site ?? "silent"} site`,
  });
}

/** Behind a proxy that speaks TLS the page's scheme is another than ours. */
function sameHost(origin: string, scheme: string, host: string | null): boolean {
  if (host === null) return false;
  const asked = host.toLowerCase();
  return origin.toLowerCase() === `${scheme}://${asked}` || origin.toLowerCase() === `https://${asked}`;
}

/** Addresses that mean another place than they seem to are nobody's honest request. What a URL parser makes of them is not
 * asked. */
export function faultInTarget(target: string): string | undefined {
  const path = target.split(/[?#]/, 1)[0]!;
  if (!path.startsWith("/")) return "its target is no path";
  if (/%(?![0-9a-f]{2})/i.test(path) || /[^\x21-\x7e]/.test(path)) return "its path is not encoded as it must be";
  if (/%(?:[01][0-9a-f]|7f)/i.test(path)) return "its path has control characters in it";
  if (/\/\/|\\|%5c/i.test(path)) return "its path has an empty or a backward part";
  const parts = path.split(/\/|%2f/i).map((part) => part.replace(/%2e/gi, "."));
  return parts.some((part) => part === "." || part === "..") ? "its path leads out of itself" : undefined;
}
