import { openLab } from "/work/main/test/support/vm.ts";
import { bootIsos } from "/work/main/test/fixtures/boot-images.ts";
import { fixturesDir } from "/work/main/test/fixtures/installer-iso.ts";
import { waitForLine, serialLines } from "/work/main/test/support/guest.ts";
const isos = await bootIsos(fixturesDir);
const lab = await openLab({ isos: Object.values(isos) });
const t0 = performance.now(); const t = () => ((performance.now()-t0)/1000).toFixed(2);
try {
  for (const firmware of ["bios", "uefi"]) for (const disk of ["blank", "os"]) {
    const vm = disk === "blank" ? await lab.create(`${firmware}-${disk}`, { firmware }) : await lab.installed(`${firmware}-${disk}`, { firmware });
    for (const [order, tray] of [["cdrom_hd","empty"],["cdrom_hd","both"],["cdrom_hd","data"],["hd","both"],["hd_cdrom","both"],["hd_cdrom","empty"]]) {
      if (tray === "empty") await lab.call("detach_iso", { vm: vm.uuid }); else await lab.call("attach_iso", { vm: vm.uuid, iso_path: lab.iso(isos[tray]) });
      await lab.call("set_boot_order", { vm: vm.uuid, boot_order: order });
      const check = await lab.call("check_boot", { vm: vm.uuid });
      const s = performance.now();
      await lab.call("start_vm", { vm: vm.uuid, accept: ["NOTHING_BOOTS","DISK_BLANK","NO_MEDIA"], purpose: "normal" });
      const line = await waitForLine(vm.serial_log, /^(CD|DISK)-/, { timeoutMs: firmware==="bios"?2500:9000 }).catch(() => undefined);
      const took = ((performance.now()-s)/1000).toFixed(2);
      const stat = async (d: string) => (await lab.virsh("domblkstat", vm.name, d)).match(/rd_req (\d+)\n.*rd_bytes (\d+)/)?.slice(1).join("/");
      const [cd, hd] = [await stat("sda"), await stat("vda")];
      const now = await lab.call("get_vm", { vm: vm.uuid });
      console.log(t(), firmware, disk, order, tray, "predict", check.cold_start.boots, "booted", line?.text, took, "cd", cd, "hd", hd, now.current_boot_device, now.current_boot_certainty);
      if (!line) console.log((await serialLines(vm.serial_log)).slice(-4).map((l)=>l.text));
      await lab.call("stop_vm", { vm: vm.uuid, force: true });
    }
  }
} catch (e) { console.log("ERR", e, lab.server.stderr()); } finally { await lab.close(); }
