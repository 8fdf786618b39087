/** Whether the hypervisor's user can reach a file. Our own access proves nothing: QEMU runs as another user, and its
 * "Permission denied" comes only when the VM starts. libvirt gives the file itself to QEMU's user at start (dynamic
 * ownership), so by default only the directories above it count. Not seen from here: AppArmor, SELinux, root squashing,
 * and access control lists that take away what the mode grants. */
import type { Stats } from "node:fs";
import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "./file.ts";
import { patiently } from "./patience.ts";
import { runTool } from "./tool.ts";

/** The user that QEMU runs as; `gids` are all its groups. */
export type Reader = Readonly<{ uid: number; gids?: readonly number[] }>;

export type ReachOptions = Readonly<{
  /** Absent: this process's own user. */
  reader?: Reader | undefined;
  /** The file itself must be readable too (a hypervisor that changes no owners). */
  ownFile?: boolean | undefined;
}>;

export type Reach = Readonly<{
  /** The first directory above `path`, or `path` itself with `ownFile`, that stops the reader; `undefined` if none. */
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

/** What an access control list, as `getfacl -n` prints it, grants a user who is neither owner nor in the owning group. */
export function grantOfAcl(text: string, reader: Reader): number {
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

/** Who has no `getfacl` has no `setfacl` either (one package), so there the mode is all there is. */
async function aclGrants(path: string, reader: Reader, wanted: number): Promise<boolean> {
  const answer = await runTool("getfacl", ["-c", "-n", "-p", "-E", "--", path], { timeoutMs: 5_000 }).catch(
    () => undefined,
  );
  return answer !== undefined && (grantOfAcl(answer.stdout, reader) & wanted) === wanted;
}

/** The mode decides, but for one case: where the group's bits hold what others lack, they may be the mask of an access
 * control list that names this user (virt-manager sets such ones on home directories), so it is looked up. */
async function allows(path: string, found: Stats, reader: Reader, wanted: number): Promise<boolean> {
  if (reader.uid === 0) return true;
  const has = (shift: number) => ((found.mode >> shift) & wanted) === wanted;
  if (found.uid === reader.uid) return has(6);
  if (reader.gids?.includes(found.gid)) return has(3);
  return has(0) || (has(3) && (await aclGrants(path, reader, wanted)));
}

export function createReach(options: ReachOptions = {}): Reach {
  const { reader, ownFile = false } = options;
  /** Answers by directory, mode and owner: an access control list moves the time of change. */
  const known = new Map<string, Promise<boolean>>();

  async function passes(path: string, wanted: number): Promise<boolean> {
    if (!reader)
      return patiently(() => access(path, wanted === SEARCH ? constants.X_OK : constants.R_OK)).then(
        () => true,
        // An error without a number is the runtime's: Deno may not look there, and QEMU, which is none of it, may.
        (error: unknown) => errnoOf(error) === undefined,
      );
    const found = await patiently(() => stat(path)).catch(() => undefined);
    // What we cannot look at ourselves we cannot judge for another user.
    if (!found) return true;
    const key = `${path}\0${wanted}:${found.mode}:${found.uid}:${found.gid}:${found.ctimeMs}`;
    const answer = known.get(key) ?? allows(path, found, reader, wanted);
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
