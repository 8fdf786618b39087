/** Which old rows are VMs, and what they say. Pure. GORM writes an absent text as an empty one, and a deleted row stays
 * with the time of its deletion. */

/** Every value was cast to text. */
export type OldRow = Readonly<
  Record<
    | "uuid"
    | "name"
    | "installation_status"
    | "disk_path"
    | "disk_size"
    | "boot_order"
    | "boot_from_disk"
    | "current_boot_device"
    | "current_media"
    | "created_at"
    | "updated_at"
    | "deleted_at",
    string | null
  >
> & { readonly row: string };

export type KeptRow = Readonly<{
  row: string;
  /** Canonical: lower case, with dashes, as libvirt writes it. */
  uuid: string;
  /** As the old row has it: the name of its disk file was made from this. */
  writtenUuid: string;
  name: string;
  status: string;
  bootOrder: string;
  diskPath: string | undefined;
  diskSizeGb: number;
  media: string | undefined;
  bootDevice: string | undefined;
  createdAt: string | undefined;
  updatedAt: string | undefined;
}>;

/** An old row that became no VM; it stays in the table kept aside. */
export type Refused = Readonly<{
  name: string | null;
  uuid: string | null;
  reason: "no_uuid" | "invalid_uuid" | "duplicate_uuid" | "deleted";
}>;

const statuses = ["NotInstalled", "Installing", "Installed", "InstallationFailed"];
const orders = ["cdrom_hd", "hd", "cdrom", "hd_cdrom"];

/** Tells the rows that are VMs from the others. Of several rows with one UUID the one written last is the VM. */
export function sorted(rows: readonly OldRow[]): { kept: KeptRow[]; refused: Refused[] } {
  const kept = new Map<string, { old: OldRow; vm: KeptRow }>();
  const refused: Refused[] = [];
  const refuse = ({ name, uuid }: OldRow, reason: Refused["reason"]) => refused.push({ name, uuid, reason });
  for (const old of rows) {
    const uuid = canonical(old.uuid);
    if (stated(old.deleted_at)) refuse(old, "deleted");
    else if (!stated(old.uuid)) refuse(old, "no_uuid");
    else if (!uuid) refuse(old, "invalid_uuid");
    else {
      const vm = vmOf(old, uuid);
      const other = kept.get(uuid);
      const newer = !other || (vm.updatedAt ?? "") >= (other.vm.updatedAt ?? "");
      if (other) refuse(newer ? other.old : old, "duplicate_uuid");
      if (newer) kept.set(uuid, { old, vm });
    }
  }
  return { kept: [...kept.values()].map(({ vm }) => vm), refused };
}

function vmOf(old: OldRow, uuid: string): KeptRow {
  // Without the newer column, the older one says whether the disk comes first.
  const fallback = old.boot_order === null && isTrue(old.boot_from_disk) ? "hd" : "cdrom_hd";
  const size = Number(old.disk_size);
  return {
    row: old.row,
    uuid,
    writtenUuid: old.uuid?.trim() ?? uuid,
    name: stated(old.name) ?? uuid,
    status: oneOf(statuses, old.installation_status) ?? "NotInstalled",
    bootOrder: oneOf(orders, old.boot_order) ?? fallback,
    diskPath: stated(old.disk_path),
    diskSizeGb: Number.isSafeInteger(size) && size > 0 && size < 2 ** 23 ? size : 20,
    media: stated(old.current_media),
    bootDevice: stated(old.current_boot_device),
    createdAt: instant(old.created_at),
    updatedAt: instant(old.updated_at),
  };
}

const stated = (value: string | null): string | undefined =>
  value === null || value.trim() === "" ? undefined : value;
const oneOf = (values: readonly string[], value: string | null) => values.find((each) => each === value);
const isTrue = (value: string | null): boolean => /^(1|t|true)$/i.test(value ?? "");

function canonical(uuid: string | null): string | undefined {
  const digits = /^([\da-f]{8})-?([\da-f]{4})-?([\da-f]{4})-?([\da-f]{4})-?([\da-f]{12})$/.exec(
    (uuid ?? "").trim().toLowerCase(),
  );
  return digits?.slice(1).join("-");
}

/** GORM writes `2024-05-01 09:30:00.123456789+09:00`; a date without a zone is UTC, as SQLite's own functions mean it. */
function instant(value: string | null): string | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?) ?(Z|[+-]\d\d:?\d\d)?/.exec(value ?? "");
  if (!match) return undefined;
  const date = new Date(`${match[1]}T${match[2]}${match[3] ?? "Z"}`);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
