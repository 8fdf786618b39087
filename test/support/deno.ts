/** The server on Deno, under the permissions that docs/deploy.md names for it and no others. */
import { dirname } from "node:path";
import { serverPath } from "./client.ts";

const socket = "/run/libvirt/libvirt-sock";
const program = dirname(dirname(serverPath));

/** execa's dependencies ask whether the terminal has colours: with NO_COLOR set they ask for these variables alone. */
const colours = "FORCE_COLOR,NO_COLOR";

export type DenoBackend = "memory" | "libvirt" | "qemu";

/** What the server may do on Deno, with all that it makes below one directory. Deno knows no permission for the sockets
 * below a directory, and every VM of `qemu` has its own, so that backend needs the network whole. */
export function permissionsFor(directory: string, backend: DenoBackend): string[] {
  const reads = {
    memory: [],
    libvirt: [socket, "/etc/passwd", "/etc/group", "/proc/sys/kernel/random/boot_id"],
    qemu: ["/proc/sys/kernel/random/boot_id", "/usr/share/qemu/firmware", "/usr/share/OVMF"],
  }[backend];
  const guests = backend !== "memory";
  return [
    `--allow-read=${[program, directory, ...reads]}`,
    `--allow-write=${[directory, ...(backend === "libvirt" ? [socket] : [])]}`,
    `--allow-env=BOOTWRIGHT_*,XDG_*,MIKRO_ORM_*,WS_*,TERM,TERM_PROGRAM,NODE_DISABLE_COLORS${guests ? `,PATH,TMPDIR,TMP,TEMP,NODE_V8_COVERAGE,${colours}` : ""}`,
    `--allow-sys=homedir${guests ? ",systemMemoryInfo,statfs" : ""}${backend === "qemu" ? ",uid,gid" : ""}`,
    ...(backend === "libvirt" ? ["--allow-run=qemu-img", `--allow-net=unix:${socket}`] : []),
    ...(backend === "qemu" ? ["--allow-run=qemu-img,qemu-system-x86_64", "--allow-net"] : []),
  ];
}
