// The points on which one VM's definition, its disk, its medium and its rows in the database differ. The daemon's XML, the
// database file and the directory are read past the program under test.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { execa } from "execa";
import { DOMAIN_XML, ERROR_CODE, type Libvirt, LibvirtError } from "../../plugins/libvirt/client/libvirt.ts";

type Row = Readonly<Record<string, string | number | null>>;
type Seen = Readonly<{ id: number | undefined; next: string; live: string | undefined }>;

/** Returns a sentence for each point on which the sources disagree. */
export async function disagreements(libvirt: Libvirt, directory: string, uuid: string): Promise<string[]> {
  const [domain, { record, open, claims }] = [await domainOf(libvirt, uuid), rowsOf(directory, uuid)];
  const files = readdirSync(join(directory, "images")).filter((name) => name.startsWith(uuid));
  const left = [
    ...open.map(({ id, what, status }) => `operation ${id} (${what}) is ${status}`),
    ...claims.map(({ actor }) => `${actor} still holds the VM`),
  ];
  if (!record) {
    const tagged = domain?.next.includes("<bootwright:vm ");
    // A disk that was there before the VM was adopted is somebody else's.
    const orphans = domain ? [] : files.map((name) => `${name} belongs to no VM`);
    return [...left, ...orphans, ...(tagged ? ["the definition has a claim tag and there is no record"] : [])];
  }
  if (!domain) return [...left, "there is a record and no definition"];
  return [...left, ...(await differences(domain, record, files))];
}

async function differences({ id, next, live }: Seen, record: Row, files: readonly string[]): Promise<string[]> {
  const tag = next.match(/<bootwright:vm .*?\/>/)?.[0] ?? "";
  const order = [...next.matchAll(/<boot dev='(\w+)'/g)].map(([, device]) => device).join("_");
  const media = mediaIn(live ?? next);
  const disk = next.match(/<disk type='file' device='disk'>.*?<source file='(.*?)'/s)?.[1] ?? "";
  const { stdout } = await execa("qemu-img", ["info", "-U", "--output=json", disk]);
  const run = record.current_run === null ? undefined : JSON.parse(String(record.current_run)).run;
  const owned = JSON.parse(String(record.owned_files)) as string[];
  const pairs: [string, unknown, unknown][] = [
    ["the tag's VM", record.uuid, tag.match(/uuid="(.*?)"/)?.[1]],
    ["the tag's revision", record.revision, Number(tag.match(/revision="(.*?)"/)?.[1])],
    ["the tag's status", record.installation_status, tag.match(/status="(.*?)"/)?.[1]],
    ["the order asked for", record.requested_order ?? order, order],
    ["the order", record.boot_order, order],
    ["the medium", record.current_media ?? undefined, media],
    ["the disk", record.disk_path, disk],
    ["the disk's size", record.disk_size_bytes, JSON.parse(stdout)["virtual-size"]],
    ["the run", run === undefined ? undefined : Number(String(run).split(":").at(-1)), id],
  ];
  return [
    ...pairs
      .filter(([, recorded, there]) => recorded !== there)
      .map(([what, recorded, there]) => `${what} is ${recorded} on record and ${there} in truth`),
    ...owned
      .filter((path) => path.endsWith(".qcow2") && !files.some((name) => path.endsWith(name)))
      .map((path) => `${path} is on record and is not there`),
    ...(media !== mediaIn(next) ? ["the running VM and its next start have different media"] : []),
  ];
}

const mediaIn = (xml: string): string | undefined =>
  [...xml.matchAll(/<disk type='file' device='cdrom'>(.*?)<\/disk>/gs)][0]?.[1]?.match(/<source file='(.*?)'/)?.[1];

async function domainOf(libvirt: Libvirt, uuid: string): Promise<Seen | undefined> {
  try {
    const domain = await libvirt.domainLookupByUuid(uuid);
    const next = await libvirt.domainGetXmlDesc(domain, DOMAIN_XML.inactive | DOMAIN_XML.secure);
    const live = domain.id === undefined ? undefined : await libvirt.domainGetXmlDesc(domain);
    return { id: domain.id, next, live };
  } catch (error) {
    if (error instanceof LibvirtError && error.code === ERROR_CODE.noDomain) return undefined;
    throw error;
  }
}

function rowsOf(directory: string, uuid: string) {
  const database = new DatabaseSync(join(directory, "data", "bootwright.sqlite"), { readOnly: true });
  try {
    const all = (sql: string) => database.prepare(sql).all(uuid) as Row[];
    return {
      record: all("select * from vms where uuid = ?")[0],
      open: all("select * from operations where uuid = ? and status in ('begun', 'unknown')"),
      claims: all("select * from claims where uuid = ?"),
    };
  } finally {
    database.close();
  }
}
