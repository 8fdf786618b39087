import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { createAccessCheck, grantOfAcl } from "../../src/images/access-check.ts";
import { directory, writeFile } from "./fixture.ts";

const reader = { uid: 64_055, gids: [64_055, 108] };

/** A file in two directories; the inner one gets the mode and the access control list. */
function placed(mode: number, acl?: string) {
  const at = directory();
  const inner = join(at, "inner");
  mkdirSync(inner);
  const path = writeFile(join(inner, "file.iso"));
  chmodSync(path, 0o600);
  chmodSync(inner, mode);
  if (acl) execFileSync("setfacl", ["-m", acl, inner]);
  return { path, inner };
}

describe("createReach()", () => {
  test.each([
    ["0755", 0o755, undefined, false],
    ["0711", 0o711, undefined, false],
    ["0700", 0o700, undefined, true],
    ["0750, with no access control list", 0o750, undefined, true],
    ["0700, opened by an access control list for the user", 0o700, "u:64055:x", false],
    ["0700, opened for one of its groups", 0o700, "g:108:rx", false],
    ["0700, opened for somebody else", 0o700, "u:4711:x", true],
    ["0750, opened for the user behind a mask that takes it away", 0o750, "u:64055:x,m::r", true],
  ] as const)("judges a directory of mode %s", async (_name, mode, acl, blocked) => {
    const { path, inner } = placed(mode, acl);
    expect(await createAccessCheck({ reader }).blockedAt(path)).toBe(blocked ? inner : undefined);
  });

  test.runIf(process.getuid?.() === 0)("takes the owner's and the group's bits where they apply", async () => {
    const { path, inner } = placed(0o710);
    expect(await createAccessCheck({ reader: { uid: 5, gids: [0] } }).blockedAt(path)).toBeUndefined();
    execFileSync("chown", ["5", inner]);
    chmodSync(inner, 0o011);
    expect(await createAccessCheck({ reader: { uid: 5, gids: [0] } }).blockedAt(path)).toBe(inner);
  });

  test("lets root through, and asks for the file's own bit only with ownFile", async () => {
    const { path, inner } = placed(0o700);
    expect(await createAccessCheck({ reader: { uid: 0 } }).blockedAt(path)).toBeUndefined();
    chmodSync(inner, 0o755);
    expect(await createAccessCheck({ reader }).blockedAt(path)).toBeUndefined();
    expect(await createAccessCheck({ reader, ownFile: true }).blockedAt(path)).toBe(path);
    chmodSync(path, 0o644);
    expect(await createAccessCheck({ reader, ownFile: true }).blockedAt(path)).toBeUndefined();
  });

  test("sees a mode or an access control list that changed since it last looked", async () => {
    const { path, inner } = placed(0o750);
    const reach = createAccessCheck({ reader });
    expect(await reach.blockedAt(path)).toBe(inner);
    execFileSync("setfacl", ["-m", "u:64055:x", inner]);
    expect(await reach.blockedAt(path)).toBeUndefined();
  });
});

test("grantOfAcl() follows the order user, groups, others, and the mask", () => {
  const acl = "user::rwx\nuser:64055:rw-\ngroup::r-x\ngroup:108:--x\nmask::r-x\nother::--x\n";
  expect(grantOfAcl(acl, { uid: 64_055 })).toBe(4);
  expect(grantOfAcl(acl, { uid: 1, gids: [108] })).toBe(1);
  expect(grantOfAcl(acl, { uid: 1 })).toBe(1);
  expect(grantOfAcl("", { uid: 1 })).toBe(0);
});
