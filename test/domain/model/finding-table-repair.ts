import { definition, disk, offWith, record, state, untagged, vm } from "../fixture.ts";
import type { Row } from "./finding-table-disks.ts";

const tag = (more: object = {}) => ({ uuid: vm().uuid, revision: 1, status: "NotInstalled", ...more });
const other = "11111111-2222-4333-8444-555555555555";
const unmanaged = (more: object): Row["when"][string] => {
  const { record: _none, ...given } = state({ vm: vm(more) });
  return given;
};

/** What other programs do to definitions behind Bootwright's back. */
export const aboutRecordAndTag: readonly Row[] = [
  {
    code: "DEFINITION_GONE",
    blocks: [],
    fixes: ["repair_vm", "delete_vm"],
    when: { "on record, and not there": { target: state().target, record: record(), disks: {}, isos: {} } },
    not: { there: state(), "neither on record nor there": { target: state().target, disks: {}, isos: {} } },
  },
  {
    code: "DEFINITION_REPLACED",
    blocks: ["status"],
    fixes: ["repair_vm", "repair_vm"],
    when: {
      "an older tag": state({ record: record({ revision: 2, status: "Installed" }) }),
      "no tag": state({ vm: untagged }),
      "no system disk": state({ vm: vm({ next: definition({ disks: [disk({ target: "sdb" })] }) }) }),
    },
    not: {
      "the tag as it was written": state(),
      "no tag, of a VM that an older program made": state({ vm: untagged, record: record({ origin: "migrated" }) }),
      "no record": unmanaged({}),
      "another boot order, which is drift": offWith("hd", {}),
    },
  },
  {
    code: "DEFINITION_EDITED",
    blocks: [],
    fixes: ["repair_vm", "list_definitions"],
    when: { "another fingerprint than what was last written": state({ record: record({ fingerprint: "f0" }) }) },
    not: {
      "the definition as it was last written": state({ record: record({ fingerprint: "f1" }) }),
      "nothing on record of what was last written": state(),
      "another name, which says so itself": state({ vm: vm({ name: "web-2" }), record: record({ fingerprint: "f0" }) }),
      "no record": unmanaged({}),
    },
  },
  {
    code: "RECORD_OUTDATED",
    blocks: ["status"],
    fixes: ["repair_vm", "repair_vm"],
    when: { "a newer tag": state({ vm: vm({ claim: tag({ revision: 2, status: "Installed" }) }) }) },
    not: {
      "the tag as it was written": state(),
      "another VM's tag": state({ vm: vm({ claim: tag({ uuid: other, revision: 9 }) }) }),
    },
  },
  {
    code: "RECORD_MISSING",
    blocks: [],
    fixes: ["adopt_vm", "rebuild_database"],
    when: { "its own tag, and no record": unmanaged({}) },
    not: { "on record": state(), "another VM's tag": unmanaged({ claim: tag({ uuid: other }) }) },
  },
  {
    code: "CLAIM_FOREIGN",
    blocks: ["status"],
    fixes: ["repair_vm", "repair_vm"],
    when: {
      "on record, with another VM's tag": state({ vm: vm({ claim: tag({ uuid: other }) }) }),
    },
    not: { "its own tag": state(), "no tag": state({ vm: untagged }) },
  },
  {
    code: "VM_RENAMED",
    blocks: [],
    fixes: ["repair_vm", "repair_vm"],
    when: { "another name": state({ vm: vm({ name: "web-2" }) }) },
    not: { "its name": state(), "no record": unmanaged({ name: "web-2" }) },
  },
];
