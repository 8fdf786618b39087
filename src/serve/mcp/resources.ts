/** VMs and operations as resources, and the resources that an event changes. A resource's content is a tool's answer. */
import { DomainError } from "../../domain/error.ts";
import type { DomainEvent, EventType } from "../../domain/model/event.ts";
import type { Answers } from "../../tools/catalogue.ts";

/** Calls a tool for the reader of a resource. */
export type Ask = <Name extends keyof Answers>(tool: Name, args: Record<string, unknown>) => Promise<Answers[Name]>;

export type Resource = Readonly<{ uri: string; name: string; title: string; description: string; mimeType: string }>;

const mimeType = "application/json";
// Some clients reject a URI with nothing after its slashes, so the lists are not `vm://` and `operation://`.
export const VMS_URI = "bootwright://vms";
export const OPERATIONS_URI = "bootwright://operations";
export const vmUri = (uuid: string): string => `vm://${uuid}`;
export const operationUri = (id: string): string => `operation://${encodeURIComponent(id)}`;

const lists: readonly Resource[] = [
  {
    uri: VMS_URI,
    name: "vms",
    title: "VMs",
    description: "All VMs, managed and not: the answer of list_vms",
    mimeType,
  },
  {
    uri: OPERATIONS_URI,
    name: "operations",
    title: "Operations",
    description: "The latest operations, newest first: the answer of list_operations",
    mimeType,
  },
];

export const templates = [
  {
    uriTemplate: "vm://{uuid}",
    name: "vm",
    title: "VM",
    description: "One VM with its findings: the answer of get_vm",
    mimeType,
  },
  {
    uriTemplate: "operation://{id}",
    name: "operation",
    title: "Operation",
    description: "One operation with its steps: the answer of get_operation",
    mimeType,
  },
] as const;

/** Large, since many clients show only the first page. */
export const PAGE_SIZE = 1_000;
const VMS_AT_ONCE = 5_000;

type Vm = Answers["list_vms"]["vms"][number];
/** Sorts by name. Connection and UUID make the key unique, so that a cursor stays valid when VMs come and go. */
const sortKeyOf = ({ name, connection, uuid }: Vm): string => [name, connection, uuid].join("\0");

/** The lists, then every VM. Undefined for an invalid cursor. @throws DomainError */
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
      description: managed ? "Managed" : "Not managed: readable; adopt_vm takes it under management",
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

/** All VMs, sorted. A VM on two connections is one resource. */
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

/** The function that reads a resource. Undefined for a URI that can name none. */
function readerOf(uri: string): ((ask: Ask) => Promise<object>) | undefined {
  if (uri === VMS_URI) return (ask) => ask("list_vms", {});
  if (uri === OPERATIONS_URI) return (ask) => ask("list_operations", {});
  const [, vm] = Uuid.exec(uri) ?? [];
  if (vm !== undefined) return (ask) => ask("get_vm", { vm });
  const [, operation] = Operation.exec(uri) ?? [];
  if (operation === undefined || !URL.canParse(uri)) return undefined;
  return (ask) => ask("get_operation", { operation: unescaped(operation) });
}

/** An id that cannot be decoded stays as it is, and matches no operation. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Whether the URI has the form of a resource. The resource may not exist. */
export const isResourceUri = (uri: string): boolean => readerOf(uri) !== undefined;

/** The tool's answer as text. Undefined if there is no such resource. @throws DomainError */
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
  // The VM may be on a connection that does not answer.
  return !(error as DomainError<"VM_NOT_FOUND">).details.unreachable?.length;
}

/** The protocol's limit. */
const COMPLETIONS_MAX = 100;

/** Ids that begin with the typed text; VMs match by name too. Undefined for an unknown template or variable. */
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

/** The events that change the list of VMs, or its text about one. */
const listing: readonly EventType[] = [
  "vm.created",
  "vm.adopted",
  "vm.deleted",
  "vm.renamed",
  "vm.restored",
  "vm.changed_elsewhere",
];

/** The resources that an event changes, and whether it changes the list of resources. */
export function touchedBy({ type, subject, data }: DomainEvent): { uris: string[]; list: boolean } {
  const { operation } = data;
  const ofOperation = typeof operation === "string" ? [operationUri(operation), OPERATIONS_URI] : [];
  return { uris: [vmUri(subject), VMS_URI, ...ofOperation], list: listing.includes(type) };
}
