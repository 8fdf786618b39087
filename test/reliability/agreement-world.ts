// The state of VMs, their files and the database, read by virsh, qemu-img, directory listings and the database file alone:
// nothing of the program under test takes part.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { execa } from "execa";
import { XMLParser } from "fast-xml-parser";

export type Place = Readonly<{
  /** The data directory, and the directory that disks are made in. */
  data: string;
  images: string;
  uri: string;
  /** The prefix of the names of the domains that are looked at. */
  prefix: string;
}>;

export type Domain = Readonly<{
  uuid: string;
  name: string;
  /** The order that its classes or its devices' numbers make: `cdrom_hd`, `hd`, … */
  order: string;
  media?: string;
  disk: string;
  diskBytes?: number;
  claim?: Readonly<{ uuid: string; revision: number; status: string }>;
  /** The number that libvirt gave this run, and the medium in its drive. */
  run?: number;
  liveMedia?: string;
}>;

export type Row = Readonly<Record<string, string | number | null>>;
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
export type RecordedEvent = Readonly<{ id: string; type: string; subject: string; operation: string }>;

export type World = Readonly<{
  domains: readonly Domain[];
  records: readonly Row[];
  operations: readonly Recorded[];
  events: readonly RecordedEvent[];
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
export const listed = (directory: string): string[] => {
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
      events: all(
        // An event that a server only saw, and nobody asked for, has no operation.
        "select id, type, subject, body from events where json_extract(body, '$.data.operation') is not null order by seq",
      ).map(({ id, type, subject, body }) => ({
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

/** Runs all commands in one virsh process: a process for each would take longer than all the rest. */
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
