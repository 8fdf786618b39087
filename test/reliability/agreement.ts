// Whether the VMs' definitions, their disks, their media and the database agree, seen from outside: virsh, qemu-img,
// directory listings and the database file opened for reading. Nothing of the program under test takes part.

import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { execa } from "execa";
import { XMLParser } from "fast-xml-parser";

export type Place = Readonly<{
  /** The data directory, and the directory that disks are made in. */
  data: string;
  images: string;
  uri: string;
  /** Only domains whose name begins so are looked at. */
  prefix: string;
}>;

export type Domain = Readonly<{
  uuid: string;
  name: string;
  /** What its classes or its devices' numbers come to: `cdrom_hd`, `hd`, … */
  order: string;
  media?: string;
  disk: string;
  diskBytes?: number;
  claim?: Readonly<{ uuid: string; revision: number; status: string }>;
  /** The number that libvirt gave this run, and the medium in its drive. */
  run?: number;
  liveMedia?: string;
}>;

type Row = Readonly<Record<string, string | number | null>>;
export type Step = Readonly<{ change: Readonly<{ kind: string } & Record<string, unknown>>; status: string }>;
export type Recorded = Readonly<{
  id: string;
  uuid: string;
  what: string;
  status: string;
  holder: string;
  actor: string;
  steps: readonly Step[];
  error: string | null;
}>;
export type Told = Readonly<{ id: string; type: string; subject: string; operation: string }>;

export type World = Readonly<{
  domains: readonly Domain[];
  records: readonly Row[];
  operations: readonly Recorded[];
  events: readonly Told[];
  claims: readonly Row[];
  integrity: string;
  /** Files in the image directory, in the data directory and of the processes that hold VMs. */
  files: readonly string[];
  dataFiles: readonly string[];
  holders: readonly string[];
  /** Firmware variables of VMs with the prefix. */
  nvram: readonly string[];
}>;

const NVRAM = "/var/lib/libvirt/qemu/nvram";
const listed = (directory: string): string[] => {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
};

export async function lookAtAll(place: Place): Promise<World> {
  const domains = await domainsOf(place);
  return {
    domains,
    ...readDatabase(place.data),
    files: listed(place.images),
    dataFiles: listed(place.data).filter((name) => name !== "holders"),
    holders: listed(join(place.data, "holders")),
    nvram: listed(NVRAM).filter((name) => name.startsWith(place.prefix)),
  };
}

function readDatabase(data: string) {
  const database = new DatabaseSync(join(data, "bootwright.sqlite"), { readOnly: true });
  try {
    const all = (sql: string) => database.prepare(sql).all() as Row[];
    return {
      records: all("select * from vms"),
      operations: all("select * from operations order by begun_at, id").map(
        (row) => ({ ...row, steps: JSON.parse(String(row.steps)) }) as unknown as Recorded,
      ),
      events: all("select id, type, subject, body from events order by seq").map(({ id, type, subject, body }) => ({
        id: String(id),
        type: String(type),
        subject: String(subject),
        operation: String(JSON.parse(String(body)).data.operation),
      })),
      claims: all("select * from claims"),
      integrity: all("pragma integrity_check")
        .map((row) => String(row.integrity_check))
        .join("; "),
    };
  } finally {
    database.close();
  }
}

type Node = Record<string, unknown>;
const many = (value: unknown): Node[] => (value === undefined ? [] : Array.isArray(value) ? value : [value as Node]);
const parser = new XMLParser({ ignoreAttributes: false, attributeNamePrefix: "@", parseAttributeValue: false });

/** One virsh process for all of them: a process for each would take longer than all the rest. */
async function virsh(uri: string, commands: readonly string[]): Promise<string> {
  if (commands.length === 0) return "";
  const { stdout } = await execa("virsh", ["-q", "-c", uri, commands.join("; ")], { env: { LC_ALL: "C" } });
  return stdout;
}

const parseAll = (text: string): Node[] =>
  text
    .split(/(?<=<\/domain>)/)
    .filter((part) => part.includes("</domain>"))
    .map((part) => (parser.parse(part) as { domain: Node }).domain);

async function domainsOf({ uri, prefix }: Place): Promise<Domain[]> {
  const names = (await virsh(uri, ["list --all --name"])).split("\n").filter((name) => name.startsWith(prefix));
  const inactive = parseAll(
    await virsh(
      uri,
      names.map((name) => `dumpxml --inactive ${name}`),
    ),
  );
  const live = parseAll(
    await virsh(
      uri,
      names.map((name) => `dumpxml ${name}`),
    ),
  );
  return Promise.all(
    inactive.map(async (xml) => {
      const running = live.find(({ uuid, "@id": id }) => uuid === xml.uuid && id !== undefined);
      const seen = domainFrom(xml);
      const bytes = await diskBytes(seen.disk);
      const medium = running && domainFrom(running).media;
      return {
        ...seen,
        ...(bytes !== undefined && { diskBytes: bytes }),
        ...(running && { run: Number(running["@id"]) }),
        ...(medium !== undefined && { liveMedia: medium }),
      };
    }),
  );
}

function domainFrom(xml: Node): Domain {
  const disks = many((xml.devices as Node).disk);
  const of = (kind: string) => disks.filter((disk) => (disk["@device"] ?? "disk") === kind);
  const source = (disk: Node | undefined) => (disk?.source as Node | undefined)?.["@file"] as string | undefined;
  const media = source(of("cdrom")[0]);
  const tag = (xml.metadata as Node | undefined)?.["bootwright:vm"] as Record<string, string> | undefined;
  return {
    uuid: String(xml.uuid),
    name: String(xml.name),
    order: orderOf(xml, disks),
    disk: source(of("disk")[0]) ?? "",
    ...(media !== undefined && { media }),
    ...(tag && {
      claim: { uuid: tag["@uuid"]!, revision: Number(tag["@revision"]), status: tag["@status"]! },
    }),
  };
}

function orderOf(xml: Node, disks: readonly Node[]): string {
  const classes = many((xml.os as Node).boot).map((boot) => String(boot["@dev"]));
  if (classes.length) return classes.join("_");
  const numbered = disks.flatMap((disk) => {
    const order = (disk.boot as Node | undefined)?.["@order"];
    return order === undefined ? [] : [{ order: Number(order), word: disk["@device"] === "cdrom" ? "cdrom" : "hd" }];
  });
  return numbered
    .sort((a, b) => a.order - b.order)
    .map(({ word }) => word)
    .join("_");
}

async function diskBytes(path: string): Promise<number | undefined> {
  const { stdout, exitCode } = await execa("qemu-img", ["info", "-U", "--output=json", path], { reject: false });
  return exitCode === 0 ? (JSON.parse(stdout)["virtual-size"] as number) : undefined;
}

export type Known = Readonly<{
  /** Files in the image directory that nobody here owns: disks of VMs that other programs made. */
  foreignFiles?: readonly string[];
  /** How many processes may hold VMs now. */
  living: number;
  /** Operations that a living process is at. */
  atWork?: readonly string[];
}>;

/** Every point on which two of the witnesses disagree, as a sentence; none is what is hoped for. */
export function disagreements(world: World, place: Place, known: Known): string[] {
  return [
    ...ofVms(world),
    ...ofFiles(world, place, known.foreignFiles ?? []),
    ...ofOperations(world, known.atWork ?? []),
    ...ofProcesses(world, known),
  ];
}

function ofVms({ domains, records }: World): string[] {
  const wrong: string[] = [];
  for (const record of records) {
    const domain = domains.find(({ uuid }) => uuid === record.uuid);
    if (!domain) wrong.push(`${record.name} is on record and has no domain`);
    else wrong.push(...ofVm(domain, record).map((what) => `${domain.name}: ${what}`));
  }
  for (const { uuid, name, claim } of domains) {
    if (!records.some((record) => record.uuid === uuid) && claim)
      wrong.push(`${name} has a claim tag and is not on record`);
  }
  const names = domains.map(({ name }) => name);
  for (const name of new Set(names))
    if (names.filter((other) => other === name).length > 1) wrong.push(`${name} is there twice`);
  return wrong;
}

function ofVm(domain: Domain, record: Row): string[] {
  const { claim, media, liveMedia, order, run } = domain;
  const held = run === undefined ? media : liveMedia;
  const recordedRun = record.current_run === null ? undefined : JSON.parse(String(record.current_run)).run;
  const says = (what: string, recorded: unknown, there: unknown) =>
    recorded === there ? [] : [`${what} is ${recorded} on record and ${there} in truth`];
  return [
    ...says("name", record.name, domain.name),
    ...says("the claim tag's VM", record.uuid, claim?.uuid),
    ...says("the claim tag's revision", record.revision, claim?.revision),
    ...says("the claim tag's status", record.installation_status, claim?.status),
    ...(record.requested_order === null ? [] : says("the order that was asked for", record.requested_order, order)),
    ...says("the order last seen", record.boot_order, order),
    ...says("the medium last seen", record.current_media ?? undefined, held),
    ...says("the disk", record.disk_path, domain.disk),
    ...says("the disk's size", record.disk_size_bytes, domain.diskBytes),
    ...(record.iso_identity !== null && media === undefined ? ["an ISO's identity is on record and none is in"] : []),
    ...(record.origin === "created" && record.iso_identity === null && media !== undefined
      ? ["an ISO is in and its identity is not on record"]
      : []),
    ...says("the run", recordedRun === undefined ? undefined : Number(String(recordedRun).split(":").at(-1)), run),
  ];
}

function ofFiles({ files, records, nvram, domains }: World, { images }: Place, foreign: readonly string[]): string[] {
  const owned = records.flatMap((record) => JSON.parse(String(record.owned_files)) as string[]);
  const allowed = new Set([...owned, ...foreign]);
  const orphans = files.map((name) => join(images, name)).filter((path) => !allowed.has(path));
  const missing = owned.filter((path) => path.endsWith(".qcow2") && !files.some((name) => join(images, name) === path));
  const lost = nvram.filter((name) => !domains.some((domain) => name.startsWith(`${domain.name}_`)));
  return [
    ...orphans.map((path) => `${path} belongs to no VM`),
    ...missing.map((path) => `${path} is on record and is not there`),
    ...lost.map((name) => `the firmware variables ${name} belong to no VM`),
  ];
}

const endings: Readonly<Record<string, string>> = {
  rolled_back: "operation.rolled_back",
  failed: "operation.failed",
  rollback_failed: "operation.failed",
};
/** The event that a step ends in, where it does. */
const facts: Readonly<Record<string, RegExp>> = {
  "vm.create": /^vm\.created$/,
  "vm.adopt": /^vm\.adopted$/,
  "vm.delete": /^vm\.deleted$/,
  "power.start": /^vm\.started$/,
  "power.stop": /^vm\.stopped$/,
  "boot_order.set": /^boot_order\.changed$/,
  "media.set": /^media\.(attached|detached)$/,
  "disk.resize": /^disk\.resized$/,
  "installation.set": /^installation\./,
};

function ofOperations({ operations, events, claims }: World, atWork: readonly string[]): string[] {
  const wrong: string[] = [];
  for (const operation of operations) {
    const said = (what: string) => wrong.push(`operation ${operation.id} (${operation.what}) ${what}`);
    const mine = events.filter((event) => event.operation === operation.id);
    if (atWork.includes(operation.id)) {
      if (operation.status !== "begun") said(`is at work and ${operation.status}`);
      continue;
    }
    if (operation.status === "begun") said("was left begun");
    if (operation.status === "unknown") said(`is unknown: ${operation.error}`);
    if (operation.status !== "applied" && operation.error === null) said(`is ${operation.status} without a reason`);
    const ending = endings[operation.status];
    const kept = operation.steps.filter(({ status }) => (operation.status === "applied" ? true : status === "kept"));
    const expected = [
      ...(ending === undefined ? [] : [new RegExp(`^${ending.replace(".", "\\.")}$`)]),
      ...kept.flatMap(({ change }) => facts[change.kind] ?? []),
    ];
    const told = mine.filter(({ type }) => type !== "operation.unknown").map(({ type }) => type);
    if (told.length !== expected.length || !expected.every((pattern, index) => pattern.test(told[index]!)))
      said(`ended ${operation.status} and its events are ${told.join(", ") || "none"}`);
    if (mine.some(({ subject }) => subject !== operation.uuid)) said("has an event about another VM");
    if (mine.length - told.length > 1) said("was told to be unknown more than once");
  }
  const known = new Set(operations.map(({ id }) => id));
  for (const { id, operation } of events)
    if (!known.has(operation)) wrong.push(`event ${id} is of an operation that is not there`);
  if (claims.length > atWork.length) wrong.push(`${claims.length} VMs are claimed: ${JSON.stringify(claims)}`);
  return wrong;
}

/** What a process makes before it has its lock is looked for once it is this old. */
const STARTING_MS = 65_000;

function ofProcesses({ integrity, holders, dataFiles }: World, { living }: Known): string[] {
  const held = holders.filter((name) => name.endsWith(".sqlite"));
  const strange = dataFiles.filter((name) => !/^(bootwright\.sqlite(-wal|-shm|\.lock)?|fingerprint\.key)$/.test(name));
  return [
    ...(integrity === "ok" ? [] : [`the database: ${integrity}`]),
    ...(held.length > living ? [`${held.length} processes have a file and ${living} live`] : []),
    ...strange.map((name) => `${name} was left in the data directory`),
  ];
}

/** Files of processes that died before they had their lock, and that should have been removed by now. */
export const staleStarts = ({ data }: Place): string[] => {
  const directory = join(data, "holders");
  return listed(directory).filter(
    (name) => name.endsWith(".starting") && Date.now() - statSync(join(directory, name)).mtimeMs > STARTING_MS,
  );
};
