/** Checks whether the hypervisor's user can reach a file. This program's access proves nothing: QEMU runs as another
 * user, and its "Permission denied" comes only when the VM starts. libvirt gives the file itself to QEMU's user at
 * start (dynamic ownership), so by default only the directories above it count. The check does not see AppArmor,
 * SELinux, root squashing, and access control lists that revoke what the mode grants. */
import { dirname } from "node:path";
import type { FileStat, HostFiles, HostUser } from "../domain/ports/host-access.ts";
import { localFiles } from "../host-access/local-files.ts";

export type AccessCheckOptions = Readonly<{
  /** Default: this process's own user. */
  reader?: HostUser | undefined;
  /** The file itself must be readable too (a hypervisor that changes no owners). */
  ownFile?: boolean | undefined;
  /** Default: this host's files. */
  files?: HostFiles | undefined;
}>;

export type AccessCheck = Readonly<{
  /** The first directory above `path`, or with `ownFile` also `path` itself, that denies access; `undefined` if
   * none. */
  blockedAt(path: string): Promise<string | undefined>;
}>;

const READ = 4;
const SEARCH = 1;

const parentsOf = (path: string): string[] => {
  const parents: string[] = [];
  for (let at = dirname(path); ; at = dirname(at)) {
    parents.unshift(at);
    if (at === dirname(at)) return parents;
  }
};

/** The rights that an access control list, as `getfacl -n` prints it, grants a user who is neither owner nor in the
 * owning group. */
export function grantOfAcl(text: string, reader: HostUser): number {
  const bits = (rwx = "") => (rwx[0] === "r" ? 4 : 0) | (rwx[1] === "w" ? 2 : 0) | (rwx[2] === "x" ? 1 : 0);
  const entries = text.split("\n").flatMap((line) => {
    const match = /^(user|group|mask|other):(\d*):([r-][w-][x-])/.exec(line);
    return match ? [{ kind: match[1], id: match[2], bits: bits(match[3]) }] : [];
  });
  const mask = entries.find((entry) => entry.kind === "mask")?.bits ?? 7;
  const user = entries.find((entry) => entry.kind === "user" && entry.id === String(reader.uid));
  if (user) return user.bits & mask;
  const gids = (reader.gids ?? []).map(String);
  const groups = entries.filter((entry) => entry.kind === "group" && entry.id && gids.includes(entry.id));
  if (groups.length) return groups.reduce((all, group) => all | (group.bits & mask), 0);
  return entries.find((entry) => entry.kind === "other")?.bits ?? 0;
}

async function aclGrants(files: HostFiles, path: string, reader: HostUser, wanted: number): Promise<boolean> {
  const list = await files.accessList(path);
  return list !== undefined && (grantOfAcl(list, reader) & wanted) === wanted;
}

/** The mode decides, with one exception. Where the group's bits grant what others lack, they may be the mask of an
 * access control list that names this user (virt-manager sets such lists on home directories), so the list is read. */
async function allows(
  files: HostFiles,
  path: string,
  { mode, uid, gid }: FileStat,
  { reader, wanted }: Readonly<{ reader: HostUser; wanted: number }>,
): Promise<boolean> {
  if (reader.uid === 0) return true;
  const has = (shift: number) => ((Number(mode) >> shift) & wanted) === wanted;
  if (Number(uid) === reader.uid) return has(6);
  if (reader.gids?.includes(Number(gid))) return has(3);
  return has(0) || (has(3) && (await aclGrants(files, path, reader, wanted)));
}

export function createAccessCheck(options: AccessCheckOptions = {}): AccessCheck {
  const { reader, ownFile = false, files = localFiles } = options;
  /** Answers by directory, mode and owner: an access control list moves the time of change. */
  const known = new Map<string, Promise<boolean>>();

  async function passes(path: string, wanted: number): Promise<boolean> {
    if (!reader) return files.allows(path, wanted === SEARCH ? "search" : "read");
    const found = await files.stat(path).catch(() => undefined);
    // A path that this program cannot examine cannot be judged for another user.
    if (!found) return true;
    const key = `${path}\0${wanted}:${found.mode}:${found.uid}:${found.gid}:${found.ctimeNs}`;
    const answer = known.get(key) ?? allows(files, path, found, { reader, wanted });
    if (known.size > 1_000) known.clear();
    known.set(key, answer);
    return answer;
  }

  return {
    async blockedAt(path) {
      for (const parent of parentsOf(path)) if (!(await passes(parent, SEARCH))) return parent;
      return ownFile && !(await passes(path, READ)) ? path : undefined;
    },
  };
}
