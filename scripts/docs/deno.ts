/** How the server is started on Deno: with the permissions that the scripts of test/deno give it, and no others. */
import { dirname } from "node:path";
import { serverPath } from "../../test/support/client.ts";
import { type DenoBackend, permissionsFor } from "../../test/support/deno.ts";
import { fenced } from "./markdown.ts";

const [checkout, directory] = ["/path/to/bootwright", "/srv/vms"];
const settings: Readonly<Record<Exclude<DenoBackend, "memory">, string>> = {
  libvirt: "local=libvirt,uri=qemu:///system?socket=/run/libvirt/libvirt-sock",
  qemu: "local=qemu",
};

export function denoCommand(backend: keyof typeof settings): string {
  const permissions = permissionsFor(directory, backend).map((flag) =>
    flag.replace(dirname(dirname(serverPath)), checkout),
  );
  const directories = `--data ${directory}/data --images ${directory}/images --iso-dir ${directory}/isos`;
  const lines = [
    `NO_COLOR=1 TMPDIR=${directory}/tmp XDG_CACHE_HOME=${directory}/cache XDG_CONFIG_HOME=${directory}/config deno run --no-prompt`,
    ...permissions,
    `${checkout}/src/main.ts ${directories}`,
    `--connection '${settings[backend]}'`,
  ];
  return fenced(lines.join(" \\\n  "), "sh");
}
