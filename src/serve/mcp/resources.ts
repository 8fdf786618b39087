/** What there is to read beside the tools: VMs and operations as resources, and which of them an event is about. Whatever
 * is read is what a tool answers. */
import { DomainError } from "../../domain/error.ts";
import type { DomainEvent, EventType } from "../../domain/model/event.ts";
import type { Answers } from "../../tools/catalogue.ts";

/** Calls a tool for whoever reads. */
export type Ask = <Name extends keyof Answers>(tool: Name, args: Record<string, unknown>) => Promise<Answers[Name]>;

export type Resource = Readonly<{ uri: string; name: string; title: string; description: string; mimeType: string }>;

const mimeType = "application/json";
// Some clients' parsers take no URI that has nothing behind its slashes, so the lists are not `vm://` and `operation://`.
export const VMS_URI = "bootwright://vms";
export const OPERATIONS_URI = "bootwright://operations";
export const vmUri = (uuid: string): string => `vm://${uuid}`;
export const operationUri = (id: string): string => `operation://${encodeURIComponent(id)}`;

const lists: readonly Resource[] = [
  {
    uri: VMS_URI,
    name: "vms",
    title: "VMs",
    description: "Every VM, managed and not, as list_vms answers",
    mimeType,
  },
  {
    uri: OPERATIONS_URI,
    name: "operations",
    title: "Operations",
    description: "What was done to VMs last, newest first, as list_operations answers",
    mimeType,
  },
];

export const templates = [
  {
    uriTemplate: "vm://{uuid}",
    name: "vm",
    title: "VM",
    description: "One VM with its findings, as get_vm answers",
    mimeType,
  },
  {
    uriTemplate: "operation://{id}",
    name: "operation",
    title: "Operation",
    description: "One operation with its steps, as get_operation answers",
    mimeType,
  },
] as const;

/** Many clients show the first page and ask for no other. */
export const PAGE_SIZE = 1_000;
const VMS_AT_ONCE = 5_000;

type Vm = Answers["list_vms"]["vms"][number];
/** By name for readers; the rest makes a place in the list that stays where it is when others come and go. */
const sortKeyOf = ({ name, connection, uuid }: Vm): string => [name, connection, uuid].join("\0");

/** The lists, then every VM. @throws DomainError; undefined for a cursor that is none of ours */
export async function listResources(ask: Ask, cursor: string | undefined, pageSize = PAGE_SIZE) {
  const sortKey = cursor === undefined ? "" : Buffer.from(cursor, "base64url").toString();
  if (cursor !== undefined && (sortKey.split("\0").length !== 3 || cursorFor(sortKey) !== cursor)) return undefined;
  const vms = await allVms(ask);
  const several = new Set(vms.map(({ connection }) => connection)).size > 1;
  const rest = vms.filter((vm) => sortKeyOf(vm) > sortKey);
  const page = rest.slice(0, pageSize);
  const resources = page.map(
    ({ uuid, name, connection, managed }): Resource => ({
      uri: vmUri(uuid),
      name,
      title: `VM ${several ? `${connection}/` : ""}${name}`,
      description: managed ? "Managed" : "Not managed: it can be read, and adopt_vm takes it under management",
      mimeType,
    }),
  );
  const last = page.at(-1);
  return {
    resources: cursor === undefined ? [...lists, ...resources] : resources,
    ...(last && rest.length > page.length && { nextCursor: cursorFor(sortKeyOf(last)) }),
  };
}

const cursorFor = (place: string): string => Buffer.from(place).toString("base64url");

/** Sorted. A VM that two connections have is one resource. */
async function allVms(ask: Ask): Promise<Vm[]> {
  const found = new Map<string, Vm>();
  for (let offset = 0, total = 1; offset < total; offset += VMS_AT_ONCE) {
    const answer = await ask("list_vms", { limit: VMS_AT_ONCE, offset });
    total = answer.total;
    for (const vm of answer.vms) if (!found.has(vm.uuid)) found.set(vm.uuid, vm);
  }
  return [...found.values()].sort((a, b) => (sortKeyOf(a) < sortKeyOf(b) ? -1 : 1));
}

const Uuid = /^vm:\/\/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/i;
const Operation = /^operation:\/\/((?:[\w.~-]|%[0-9a-f]{2}){1,300})$/i;

/** How to read what this names; undefined where it can name nothing. */
function readerOf(uri: string): ((ask: Ask) => Promise<object>) | undefined {
  if (uri === VMS_URI) return (ask) => ask("list_vms", {});
  if (uri === OPERATIONS_URI) return (ask) => ask("list_operations", {});
  const [, vm] = Uuid.exec(uri) ?? [];
  if (vm !== undefined) return (ask) => ask("get_vm", { vm });
  const [, operation] = Operation.exec(uri) ?? [];
  if (operation === undefined || !URL.canParse(uri)) return undefined;
  return (ask) => ask("get_operation", { operation: unescaped(operation) });
}

/** What is no text when it is unescaped is no operation's id as it stands. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Whether there can be such a resource; whether there is, reading it tells. */
export const isResourceUri = (uri: string): boolean => readerOf(uri) !== undefined;

/** What a tool answers about it, and undefined where there is no such resource. @throws DomainError */
export async function readResource(ask: Ask, uri: string): Promise<{ text: string } | undefined> {
  try {
    const answer = await readerOf(uri)?.(ask);
    return answer && { text: JSON.stringify(answer) };
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

function isAbsence(error: unknown): boolean {
  if (!(error instanceof DomainError)) return false;
  if (error.code === "OPERATION_NOT_FOUND") return true;
  if (error.code !== "VM_NOT_FOUND") return false;
  // While a connection is silent, a VM that the others do not have may be there.
  return !(error as DomainError<"VM_NOT_FOUND">).details.unreachable?.length;
}

/** The protocol's bound. */
const COMPLETIONS_MAX = 100;

/** Ids that fit what was typed: of VMs by name too. Undefined for a template or a variable that there is not. */
export async function complete(ask: Ask, uriTemplate: string, variable: string, typed: string) {
  const wanted = typed.toLowerCase();
  const begins = (text: string) => text.toLowerCase().startsWith(wanted);
  if (uriTemplate === templates[0].uriTemplate && variable === "uuid") {
    const vms = (await allVms(ask)).filter(({ uuid, name }) => begins(name) || begins(uuid));
    return completionOf(vms.map(({ uuid }) => uuid));
  }
  if (uriTemplate === templates[1].uriTemplate && variable === "id") {
    const { operations } = await ask("list_operations", { limit: 200 });
    return completionOf(operations.map(({ operation }) => operation).filter(begins));
  }
  return undefined;
}

const completionOf = (values: readonly string[]) => ({
  values: values.slice(0, COMPLETIONS_MAX),
  total: values.length,
  hasMore: values.length > COMPLETIONS_MAX,
});

/** What changes which VMs are listed, or what the list says of one. */
const listing: readonly EventType[] = [
  "vm.created",
  "vm.adopted",
  "vm.deleted",
  "vm.renamed",
  "vm.restored",
  "vm.changed_elsewhere",
];

/** The resources that say something else after this event, and whether the list of them does. */
export function touchedBy({ type, subject, data }: DomainEvent): { uris: string[]; list: boolean } {
  const { operation } = data;
  const ofOperation = typeof operation === "string" ? [operationUri(operation), OPERATIONS_URI] : [];
  return { uris: [vmUri(subject), VMS_URI, ...ofOperation], list: listing.includes(type) };
}
