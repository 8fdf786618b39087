/** A person's way with a VM as a program would write it that has nothing but the OpenAPI document. `api.ts` is generated
 * beside a copy of this file, so this file is checked against it there and nowhere else. */
import { Api, type ListVmsAnswer, type Problem } from "./api.ts";

export function clientOf(url: string, token: string): Api<string> {
  const client = new Api<string>({
    baseUrl: `${url}/api`,
    securityWorker: (secret) => ({ headers: { authorization: `Bearer ${secret}` } }),
  });
  client.setSecurityData(token);
  return client;
}

type Listed = ListVmsAnswer["vms"][number];
/** Field by field, so that one that the document names differently is an error of types. */
const fieldsOf = (vm: Listed) => ({
  uuid: vm.uuid,
  installation_status: vm.installation_status,
  boot_order: vm.boot_order,
  current_boot_device: vm.current_boot_device,
  disk_path: vm.disk_path,
  disk_size: vm.disk_size,
  current_media: vm.current_media,
});

type Answer<Data> = Readonly<{ ok: boolean; status: number; data: Data; error: Problem }>;
/** The data of an answer that has to be none of refusal. */
async function done<Data>(answer: Promise<Answer<Data>>): Promise<Data> {
  const { ok, data, error } = await answer;
  if (!ok) throw new Error(`${error.code}: ${error.detail}`);
  return data;
}
/** A refusal's own fields. */
async function refused(
  answer: Promise<Answer<unknown>>,
): Promise<Pick<Problem, "status" | "code" | "next" | "details">> {
  const { ok, error } = await answer;
  if (ok) throw new Error("it was not refused");
  return { status: error.status, code: error.code, next: error.next, details: error.details };
}

export async function journey({ vms, isos }: Api<string>) {
  const { vm: made } = await done(vms.createVm({ name: "web", iso_path: "installer.iso", disk_size_gb: 20 }));
  const vm = made.uuid;
  const act = async (action: "start" | "restart") => (await done(vms.vmAction(vm, { action }))).vm.power;
  const started = await act("start");
  const listed = (await done(vms.listVms({ managed: true, limit: 10 }))).vms.map(fieldsOf);
  const { name, power, current_boot_device } = await done(vms.getVm(vm));
  const completed = (await done(vms.completeInstallation(vm, { boot_order: "cdrom_hd" }))).vm.installation_status;
  const status = (await done(vms.getInstallationStatus(vm))).installation_status;
  const set = (await done(vms.setBootOrder(vm, { boot_order: "hd" }))).takes_effect;
  const order = (await done(vms.getBootOrder(vm))).boot_order;
  const restarted = await act("restart");
  const booted = (await done(vms.getVm(vm))).current_boot_device;
  const detached = (await done(vms.detachIso(vm))).vm.current_media;
  const attached = (await done(vms.attachIso(vm, { iso_path: "live.iso" }))).vm.current_media;
  const older = (await done(vms.vmMedia(vm, { iso_path: "drivers.iso" }))).vm.current_media;
  const olderDetached = (await done(vms.vmMedia(vm, { action: "detach" }))).vm.current_media;
  const library = (await done(isos.listIsos({ search: "live" }))).isos.map(({ path }) => path);
  const unsure = await refused(vms.vmAction(vm, { action: "stop", force: true }));
  const confirm = String(unsure.details.confirm);
  const stopped = (await done(vms.vmAction(vm, { action: "stop", force: true, confirm }))).vm.power;
  const grown = (await done(vms.resizeDisk(vm, { size_gb: 50 }))).vm.disk_size;
  const { path: disk, size_gb: size } = await done(vms.getDiskInfo(vm));
  const shrunk = await refused(vms.resizeDisk(vm, { size_gb: 10 }));
  return {
    made: fieldsOf(made),
    started,
    listed,
    looked: { name, power, current_boot_device },
    installation: { completed, status },
    order: { set, order },
    restarted: { power: restarted, booted },
    media: { detached, attached, older, olderDetached, library },
    unsure: { status: unsure.status, code: unsure.code },
    stopped,
    disk: { grown, disk, size },
    shrunk,
  };
}
