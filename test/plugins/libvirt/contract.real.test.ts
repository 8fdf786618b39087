// Goal: libvirt does what every backend promises. Method: the contract suite on the real daemon, with guests of a few
// hundred bytes; virsh is the other program. What it cannot see: what libvirt alone can do, which the other files here try.

import { inject } from "vitest";
import libvirt from "../../../plugins/libvirt/index.ts";
import { bindBackend } from "../../../src/plugin-host/backends.ts";
import { openTestbed, SYSTEM } from "../../support/vm.ts";
import { backendContract } from "../contract.ts";
import { openOtherNames } from "../other-names.ts";

const { isos } = inject("guests");

backendContract({
  name: "libvirt",
  // A boot sector has no power button; running-guest.real.test.ts shuts a real system down.
  guestHonoursShutdown: false,
  skip: [
    {
      test: "power.start with an ISO that is missing is refused, and the VM stays off",
      reason:
        "libvirt says of the VM from then on that its start has failed, and so does power_reason; foreign.real.test.ts",
    },
  ],
  async open() {
    const names = await openOtherNames();
    const testbed = await openTestbed({ isos: [isos.both, isos.data, isos.resets] });
    const images = `${testbed.directory}/images`;
    const ending = new AbortController();
    const session = await libvirt.open(
      { uri: SYSTEM, images, "iso-dirs": [`${testbed.directory}/isos`] },
      {
        connection: "local",
        log: () => {},
        signal: ending.signal,
        fingerprint: (meaning) => meaning,
        cacheDirectory: `${testbed.directory}/cache`,
        stateDirectory: `${testbed.directory}/data`,
        defaults: {},
      },
    );
    return {
      backend: bindBackend(libvirt, session, "local"),
      isos: { bootable: testbed.iso(isos.both), data: testbed.iso(isos.data), resets: testbed.iso(isos.resets) },
      spec: { acceleration: "tcg", memoryBytes: 64 * 1024 ** 2 },
      otherNames: names.of,
      saveState: async (uuid) => void (await testbed.virsh("managedsave", uuid)),
      // Not `virsh setvcpus --config`: libvirt has an event for a definition that is defined again, and none for that.
      editElsewhere: async (uuid) =>
        testbed.define((await testbed.xml(uuid)).replace(/<vcpu.*<\/vcpu>/, "<vcpu>2</vcpu>")),
      guestResets: async () => {},
      async close() {
        await libvirt.close(session);
        ending.abort();
        await names.close();
        await testbed.close();
      },
    };
  },
});
