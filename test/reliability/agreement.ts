// The points on which the VMs' definitions, their disks, their media and the database differ.

import { statSync } from "node:fs";
import { join } from "node:path";
import { type Domain, listed, type Place, type Row, type World } from "./agreement-world.ts";

export { type Domain, lookAtAll, type Place, type Recorded, type World } from "./agreement-world.ts";

export type Known = Readonly<{
  /** Files in the image directory that nobody here owns: disks of VMs that other programs made. */
  foreignFiles?: readonly string[];
  /** The number of processes that may hold VMs now. */
  living: number;
  /** The operations that a living process carries out. */
  atWork?: readonly string[];
}>;

/** Returns a sentence for each point on which two sources disagree; an empty list where all agree. */
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
/** The type of the event that a step of this kind ends in. */
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
    const types = mine.filter(({ type }) => type !== "operation.unknown").map(({ type }) => type);
    if (types.length !== expected.length || !expected.every((pattern, index) => pattern.test(types[index]!)))
      said(`ended ${operation.status} and its events are ${types.join(", ") || "none"}`);
    if (mine.some(({ subject }) => subject !== operation.uuid)) said("has an event about another VM");
    if (mine.length - types.length > 1) said("was told to be unknown more than once");
  }
  const known = new Set(operations.map(({ id }) => id));
  for (const { id, operation } of events)
    if (!known.has(operation)) wrong.push(`event ${id} is of an operation that is not there`);
  if (claims.length > atWork.length) wrong.push(`${claims.length} VMs are claimed: ${JSON.stringify(claims)}`);
  return wrong;
}

/** The age in milliseconds from which on a file without a lock counts as left behind. */
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

/** Returns the files of processes that died before they had their lock, which should have been removed by now. */
export const staleStarts = ({ data }: Place): string[] => {
  const directory = join(data, "holders");
  return listed(directory).filter(
    (name) => name.endsWith(".starting") && Date.now() - statSync(join(directory, name)).mtimeMs > STARTING_MS,
  );
};
