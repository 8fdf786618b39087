/** The settings of the webhooks. Lists are arrays in the settings file, and elsewhere separated by spaces, which
 * stand in no URL, type or UUID. */
import { z } from "zod";
import { type DomainEvent, eventTypes } from "../../src/plugin.ts";

const words = z
  .union([z.string().transform((text) => text.split(/\s+/).filter(Boolean)), z.array(z.string())], "expected text")
  .pipe(z.array(z.string()));

/** In seconds. */
export const TIMEOUT_MAX = 30;

/** Issues name a URL by its place: there may be a password in it. */
const urls = words.transform((texts, context) => {
  const refuse = (message: string) => {
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  if (texts.length === 0) return refuse("expected a URL, or several separated by spaces");
  const parsed = texts.map((text) => URL.parse(text));
  const wrong = parsed.findIndex((url) => !url || !["http:", "https:"].includes(url.protocol));
  if (wrong >= 0) return refuse(`URL ${wrong + 1} is no http or https URL`);
  const named = parsed.findIndex((url) => url?.username || url?.password);
  if (named >= 0) return refuse(`URL ${named + 1} has a user name in it: requests are signed instead`);
  return parsed as URL[];
});

/** `installation.completed`, `installation.*` or `*`. */
const types = words.transform((patterns, context) => {
  const unknown = patterns.filter((pattern) => !eventTypes.some((type) => fits(pattern, type)));
  if (unknown.length === 0) return patterns;
  context.addIssue({
    code: "custom",
    message: `no event is ${unknown.join(", ")}; there are ${eventTypes.join(", ")}`,
  });
  return z.NEVER;
});

export const Config = z.strictObject({
  url: urls.describe("Where events are sent: URLs, separated by spaces"),
  "secret-file": z.string().min(1).describe("File with the secret, whsec_ and base64"),
  types: types.optional().describe("Only these types: installation.*, say"),
  vms: words
    .transform((uuids) => uuids.map((uuid) => uuid.toLowerCase()))
    .pipe(z.array(z.guid("expected UUIDs")))
    .optional()
    .describe("Only events of these VMs, by UUID"),
  "timeout-seconds": z.coerce.number().min(1).max(TIMEOUT_MAX).default(10).describe("How long a receiver may take"),
});
export type Config = z.infer<typeof Config>;

const fits = (pattern: string, type: string): boolean =>
  pattern.endsWith("*") ? type.startsWith(pattern.slice(0, -1)) : type === pattern;

/** Whether the settings ask for this event. */
export const isWanted = ({ types: patterns, vms }: Pick<Config, "types" | "vms">, event: DomainEvent): boolean =>
  (patterns?.some((pattern) => fits(pattern, event.type)) ?? true) && (vms?.includes(event.subject) ?? true);
