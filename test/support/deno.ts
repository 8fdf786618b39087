/** The server on Deno, under the permissions that README names for it and no others. */
import { dirname } from "node:path";
import { serverPath } from "./client.ts";

const socket = "/run/libvirt/libvirt-sock";
const program = dirname(dirname(serverPath));

/** execa's dependencies ask whether the terminal has colours: with NO_COLOR set they ask for these variables alone. */
const colours = "FORCE_COLOR,NO_COLOR";

/** What the server may do on Deno, with all that it makes below one directory. */
export const permissionsFor = (directory: string, libvirt: boolean): string[] => [
  `--allow-read=${[program, directory, ...(libvirt ? [socket, "/etc/passwd", "/etc/group", "/proc/sys/kernel/random/boot_id"] : [])]}`,
  `--allow-write=${[directory, ...(libvirt ? [socket] : [])]}`,
  `--allow-env=BOOTWRIGHT_*,XDG_*,MIKRO_ORM_*,TERM,TERM_PROGRAM,NODE_DISABLE_COLORS${libvirt ? `,PATH,TMPDIR,TMP,TEMP,NODE_V8_COVERAGE,${colours}` : ""}`,
  `--allow-sys=homedir${libvirt ? ",systemMemoryInfo,statfs" : ""}`,
  ...(libvirt ? ["--allow-run=qemu-img", `--allow-net=unix:${socket}`] : []),
];
