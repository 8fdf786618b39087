/** Every code that a REST answer can carry, provoked: by callers, guests, other programs, and a host that fails. */
// @module-tag process
import { chmodSync, writeFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it, onTestFinished } from "vitest";
import { DomainError, type ErrorCode, errorCodes } from "../../../src/domain/error.ts";
import { Problem, statusOf } from "../../../src/serve/http/problem.ts";
import { CALLS_MAX } from "../../../src/serve/limits.ts";
import { databaseOf } from "../../store/fixture.ts";
import { serverPath } from "../../support/client.ts";
import { type HttpAnswer, openHttp } from "../../support/http.ts";
import { sessionOf, TOKEN } from "../../support/http-here.ts";
import { temporaryDirectory } from "../../support/memory.ts";
import * as outside from "../../support/simulator.ts";
import { isos } from "../../support/world.ts";
import { foreign, seedOf, uuid } from "../../tools/harness.ts";
import {
  accepted,
  broken,
  doing,
  endedJob,
  failing,
  hd,
  idIn,
  listOnNoDatabase,
  made,
  onDatabase,
  onTwo,
  open,
  refusing,
  withRunningVm,
  withVm,
} from "./provoking.ts";

const elsewhere: Partial<Record<ErrorCode, string>> = {
  TOOL_NOT_FOUND: "a path that no tool has is ROUTE_NOT_FOUND",
  ANSWER_TOO_LARGE: "the bound is one of MCP's clients",
  CONFIRMATION_DECLINED: "only MCP asks a person and hears no",
  JOB_INTERRUPTED: "a job ends with it, and no call is refused with it",
  PLUGIN_NOT_FOUND: "the server does not start",
  PLUGIN_INVALID: "the server does not start",
  PLUGIN_CONFIG_INVALID: "the server does not start",
  PLUGIN_NAME_TAKEN: "the server does not start",
  PLUGIN_FAILED: "of a plugin's own call, which list_plugins tells of",
  PLUGIN_TIMED_OUT: "of a plugin's own call, which list_plugins tells of",
  PERMISSION_DENIED: "told to the plugin that asked",
};

const provoked: Partial<Record<ErrorCode, () => Promise<HttpAnswer>>> = {
  INPUT_INVALID: async () => (await open()).ask("POST", "/api/vms", { name: "a b" }),
  MESSAGE_TOO_LARGE: async () => (await open()).ask("POST", "/api/vms", { name: "x".repeat(2 ** 21) }),
  async SERVER_BUSY() {
    const { promise: end, resolve } = Promise.withResolvers<void>();
    onTestFinished(() => resolve());
    const { ask } = await open({
      wrap: (real) => ({ ...real, list: async (...given) => end.then(() => real.list(...given)) }),
    });
    const all = Array.from({ length: CALLS_MAX + 1 }, () => ask("GET", "/api/vms"));
    const first = await Promise.race(all);
    resolve();
    const statuses = (await Promise.all(all)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(CALLS_MAX);
    return first;
  },
  CONNECTION_NOT_FOUND: async () => (await open()).ask("GET", "/api/vms?connection=nowhere"),
  VM_NOT_FOUND: async () => (await withVm()).ask("GET", "/api/vms/wbe"),
  async VM_GONE() {
    const harness = await withVm();
    outside.undefineVm(harness.world.session, await idIn(harness));
    return harness.ask("GET", "/api/vms/web/boot-check");
  },
  VM_AMBIGUOUS: async () => (await onTwo()).ask("GET", "/api/vms/web"),
  VM_NOT_MANAGED: async () =>
    (await open({ config: seedOf(foreign(1, "web")) })).ask("POST", "/api/vms/web/boot-order", hd),
  VM_EXISTS: async () => (await withVm()).ask("POST", "/api/vms", { name: "web" }),
  async VM_TRANSIENT() {
    const { vms = [], ...rest } = seedOf(foreign(1, "web", { running: true }));
    const config = { ...rest, vms: vms.map((vm) => ({ ...vm, persistent: false })) };
    return (await open({ config })).ask("POST", "/api/vms/adopt", { vm: "web" });
  },
  JOB_NOT_FOUND: async () => (await open()).ask("GET", "/api/jobs/nothing"),
  JOB_ENDED: endedJob,
  VM_MUST_BE_OFF: async () => (await withRunningVm()).ask("DELETE", "/api/vms/web"),
  async VM_PAUSED() {
    const harness = await withRunningVm();
    outside.setPaused(harness.world.session, await idIn(harness), "I/O error");
    return harness.ask("POST", "/api/vms/web/stop");
  },
  async VM_BUSY() {
    const harness = await withRunningVm({ claimWaitMs: 20 });
    const asynchronously = { headers: { prefer: "respond-async" } };
    const begun = await harness.ask("POST", "/api/vms/web/stop", { timeout_seconds: 60 }, asynchronously);
    expect(begun.status).toBe(202);
    const refused = await harness.ask("POST", "/api/vms/web/boot-order", accepted);
    outside.guestPowersOff(harness.world.session, await idIn(harness));
    return refused;
  },
  async VM_CHANGED_MEANWHILE() {
    const raced: { edit?: () => void } = {};
    const harness = await withVm({
      wrap: (real) => ({
        ...real,
        apply: (vm, change, context) => {
          raced.edit?.();
          return real.apply(vm, change, context);
        },
      }),
    });
    const id = await idIn(harness);
    raced.edit = () => outside.editDefinition(harness.world.session, id, (next) => ({ ...next, memoryBytes: 2 ** 30 }));
    return harness.ask("POST", "/api/vms/web/boot-order", accepted);
  },
  CONSOLE_UNAVAILABLE: async () =>
    (await withVm({ wrap: (real) => ({ ...real, display: { console: async () => undefined } }) })).ask(
      "POST",
      "/api/vms/web/console",
    ),
  GROUP_UNSUPPORTED: async () => (await withRunningVm()).ask("POST", "/api/vms/web/console"),
  CHANGE_UNSUPPORTED: async () => (await onTwo({ changes: {} })).ask("POST", `/api/vms/adopt`, { vm: "lab/web" }),
  async BLOCKED_BY_FINDINGS() {
    const { ask } = await open();
    await ask("POST", "/api/vms", { name: "web" });
    return ask("POST", "/api/vms/web/start");
  },
  INSTALLATION_TRANSITION_ILLEGAL: async () => (await withVm()).ask("POST", "/api/vms/web/cancel-installation"),
  ISO_OUTSIDE_LIBRARY: async () =>
    (await withVm()).ask("POST", "/api/vms/web/media/attach", { iso_path: "/etc/passwd" }),
  ISO_NOT_FOUND: async () => (await withVm()).ask("POST", "/api/vms/web/media/attach", { iso_path: "instaler.iso" }),
  PATH_OUTSIDE_IMAGES: async () => {
    const path = "/elsewhere/web.qcow2";
    const outsideImages = new DomainError("PATH_OUTSIDE_IMAGES", { path, directory: "/memory/images" });
    return (await open(refusing("disk.create", outsideImages))).ask("POST", "/api/vms", { name: "web" });
  },
  async DISK_EXISTS() {
    const harness = await open({ newId: () => uuid(1) });
    const { body } = await harness.ask("POST", "/api/vms", { name: "web", dry_run: true });
    outside.putDisk(harness.world.session, { path: body.vm.disk_path });
    return harness.ask("POST", "/api/vms", { name: "web" });
  },
  async IMAGE_REFUSED() {
    const error = new DomainError("IMAGE_REFUSED", { path: "/memory/images/web.qcow2", reason: "it is a directory" });
    return (await open(refusing("disk.create", error))).ask("POST", "/api/vms", { name: "web" });
  },
  async IMAGE_TOOL_FAILED() {
    const error = new DomainError("IMAGE_TOOL_FAILED", { command: "qemu-img create", reason: "it is not installed" });
    return (await open(refusing("disk.create", error))).ask("POST", "/api/vms", { name: "web" });
  },
  HOST_SPACE_LACKING: async () => (await open()).ask("POST", "/api/vms", { name: "web", disk_size_gb: 1025 }),
  HOST_TOO_SMALL: async () => (await open()).ask("POST", "/api/vms", { name: "web", cpus: 257 }),
  DRIVE_NOT_FOUND: async () => (await withVm()).ask("POST", "/api/vms/web/media/detach", { drive: "vda" }),
  DISK_NOT_FOUND: async () => (await withVm()).ask("GET", "/api/vms/web/disk?disk=vdb"),
  SHRINK_REFUSED: async () => (await withVm()).ask("POST", "/api/vms/web/disk/resize", { size_gb: 1 }),
  async DISK_NOT_GROWABLE() {
    const harness = await withVm();
    outside.editDefinition(harness.world.session, await idIn(harness), ({ disks, ...next }) => ({
      ...next,
      disks: disks.map(({ path: _path, ...disk }) => disk),
    }));
    return harness.ask("POST", "/api/vms/web/disk/resize", { size_gb: 40 });
  },
  TRAY_LOCKED: async () =>
    (await withRunningVm({ config: { locksTray: true } })).ask("POST", "/api/vms/web/media/detach"),
  SHUTDOWN_TIMED_OUT: async () => (await withRunningVm()).ask("POST", "/api/vms/web/stop", { timeout_seconds: 1 }),
  CONFIRMATION_REQUIRED: async () => (await withVm()).ask("DELETE", "/api/vms/web"),
  CONFIRMATION_BY_PERSON: async () => (await withVm({}, () => ({ confirm: "human" }))).ask("DELETE", "/api/vms/web"),
  CONFIRMATION_INVALID: async () => (await withVm()).ask("DELETE", "/api/vms/web?confirm=made-up"),
  OPERATION_NOT_FOUND: async () => (await open()).ask("GET", "/api/operations/nothing"),
  async EVENT_NOT_FOUND() {
    const { ask, world } = await open();
    await world.store.feed("audit-log", 1);
    return ask("POST", "/api/events/nothing/redeliver", { subscriber: "audit-log" });
  },
  async SUBSCRIBER_NOT_FOUND() {
    const { ask } = await withVm();
    const [{ id }] = (await ask("GET", "/api/events/history")).body.events;
    return ask("POST", `/api/events/${id}/redeliver`, { subscriber: "webhook" });
  },
  async UNDO_IMPOSSIBLE() {
    const { ask } = await withVm();
    const [{ operation }] = (await ask("GET", "/api/operations")).body.operations;
    return ask("POST", `/api/operations/${operation}/undo`);
  },
  async DEFINITION_NOT_FOUND() {
    return (await withVm()).ask("POST", "/api/vms/web/definitions/nothing/restore");
  },
  async REPAIR_IMPOSSIBLE() {
    const harness = await withVm();
    outside.editDefinition(harness.world.session, await idIn(harness), (next) => ({ ...next, disks: [] }));
    return harness.ask("POST", "/api/vms/web/repair", { action: "put_back" });
  },
  async OUTCOME_UNKNOWN() {
    const options = failing();
    const { ask } = await withVm(options);
    options.from(async () => {
      throw new Error("the connection was lost");
    });
    return ask("POST", "/api/vms/web/boot-order", accepted);
  },
  async ROLLBACK_FAILED() {
    let failed = false;
    const { ask } = await withRunningVm({
      wrap: (real) => ({
        ...real,
        async apply(vm, change, context) {
          failed ||= change.kind === "claim.write" && vm?.power === "running";
          if (failed) throw broken;
          await real.apply(vm, change, context);
        },
      }),
    });
    return ask("POST", "/api/vms/web/complete-installation", { boot_order: "hd", detach_iso: true });
  },
  async GOAL_NOT_REACHED() {
    const { ask } = await withVm(doing("boot_order.set", async () => {}));
    return ask("POST", "/api/vms/web/boot-order", accepted);
  },
  async BACKEND_UNAVAILABLE() {
    const error = new DomainError("BACKEND_UNAVAILABLE", { connection: "local", reason: "the daemon is gone" });
    return (await withVm(refusing("boot_order.set", error))).ask("POST", "/api/vms/web/boot-order", accepted);
  },
  async BACKEND_FAILED() {
    const gone: { remove?: () => void } = {};
    const harness = await withRunningVm({
      wrap: (real) => ({
        ...real,
        async apply(...given) {
          gone.remove?.();
          await real.apply(...given);
        },
      }),
    });
    gone.remove = () => void outside.removeFile(harness.world.session, isos.live);
    return harness.ask("POST", "/api/vms/web/media/attach", { iso_path: "live.iso" });
  },
  async CANCELLED() {
    const harness = await withRunningVm();
    const stopping = harness.ask("POST", "/api/vms/web/stop", { timeout_seconds: 60 });
    await expect.poll(async () => (await harness.world.store.operations({ limit: 1 }))[0]?.status).toBe("begun");
    await harness.close();
    return stopping;
  },
  GUEST_LISTENER_OFF: async () => (await withVm()).ask("POST", "/api/vms/web/guest-link"),
  GUEST_PLUGIN_NOT_FOUND: async () =>
    (
      await withVm({}, (made) => {
        const { services } = sessionOf(made);
        const guests = { address: "127.0.0.1", port: 1 };
        return { services: { ...services, guests } };
      })
    ).ask("POST", "/api/vms/web/guest-link", { plugin: "webhook" }),
  async STORE_LOCKED() {
    const directory = temporaryDirectory();
    await made(directory, "select 1");
    const database = new DatabaseSync(databaseOf(directory));
    database.exec("begin exclusive");
    onTestFinished(() => database.close());
    return (await onDatabase(directory)).ask("POST", "/api/vms", { name: "web" });
  },
  async STORE_READ_ONLY() {
    const directory = temporaryDirectory();
    await made(directory, "pragma wal_checkpoint(truncate)");
    chmodSync(databaseOf(directory), 0o444);
    chmodSync(directory, 0o555);
    // Rights do not bind root.
    const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, serverPath];
    const { ask } = await openHttp({
      data: directory,
      env: { BOOTWRIGHT_TOKEN: TOKEN, HOME: directory, XDG_CONFIG_HOME: directory },
      ...(process.getuid?.() === 0 && { command: nobody }),
    });
    return ask("GET", "/api/vms");
  },
  async STORE_TOO_NEW() {
    const directory = temporaryDirectory();
    await made(directory, "insert into mikro_orm_migrations (name, executed_at) values ('29991231-beyond', 0)");
    return (await onDatabase(directory)).ask("GET", "/api/vms");
  },
  STORE_CORRUPT: listOnNoDatabase,
  async STORE_UNAVAILABLE() {
    const directory = temporaryDirectory();
    writeFileSync(`${directory}/file`, "");
    return (await onDatabase(`${directory}/file`)).ask("GET", "/api/vms");
  },
};

describe("a code that REST answers with", () => {
  it("is provoked here, or is named with where it belongs", () => {
    expect([...Object.keys(provoked), ...Object.keys(elsewhere)].sort()).toEqual([...errorCodes].sort());
  });

  it.each(Object.entries(provoked))("%s is told with its status and what would help", async (code, provoke) => {
    const { status, headers, body } = await provoke();
    expect(body).toMatchObject({ code, status: statusOf[code as ErrorCode] });
    expect([status, headers.get("content-type")]).toEqual([body.status, "application/problem+json"]);
    expect(Problem.parse(body)).toEqual(body);
    expect(body.hint).not.toBe("");
  });
});
