/** Refusals about this program rather than a VM: its plugins, its guest listener, its database. */

const list = (names: readonly string[], none = "none") => (names.length ? names.join(", ") : none);

export const serverErrors = {
  PLUGIN_NOT_FOUND: (d: { plugin: string; reason: string }) => ({
    message: `Cannot load plugin "${d.plugin}": ${d.reason}`,
    hint: "Name a plugin that ships with Bootwright (libvirt, qemu, memory), a path, or an installed package",
  }),
  PLUGIN_INVALID: (d: { plugin: string; reason: string }) => ({
    message: `Cannot use plugin "${d.plugin}": ${d.reason}`,
    hint: "A plugin's default export is the value of definePlugin(), written for this plugin API",
  }),
  PLUGIN_CONFIG_INVALID: (d: { plugin: string; connection?: string; issues: readonly string[] }) => ({
    message:
      d.connection === undefined
        ? `Cannot open plugin "${d.plugin}": ${d.issues.join("; ")}`
        : `Cannot open connection "${d.connection}" with plugin "${d.plugin}": ${d.issues.join("; ")}`,
    hint:
      d.connection === undefined
        ? "Correct the plugin's settings: --plugin PLUGIN,KEY=VALUE, or its config in the settings file"
        : "Correct the connection's settings: --connection NAME=PLUGIN,KEY=VALUE",
  }),
  PLUGIN_NAME_TAKEN: (d: { name: string; plugins: readonly string[] }) => ({
    message: `Cannot load two plugins under the name "${d.name}": ${list(d.plugins)}`,
    hint: "Give one of them another name: --plugin NAME=PLUGIN",
  }),
  PLUGIN_FAILED: (d: { plugin: string; what: string; reason: string }) => ({
    message: `Plugin "${d.plugin}" failed at "${d.what}": ${d.reason}`,
    hint: "The reason is the plugin's own; its lines on stderr may say more",
  }),
  PLUGIN_TIMED_OUT: (d: { plugin: string; what: string; limitMs: number }) => ({
    message: `Plugin "${d.plugin}" was terminated: "${d.what}" took longer than ${d.limitMs / 1000} s`,
    hint: "The next call starts a new worker. A plugin that needs longer sets limitMs in its manifest",
  }),
  PERMISSION_DENIED: (d: { plugin: string; tool: string; needs: string; permissions: readonly string[] }) => ({
    message: `Plugin "${d.plugin}" may not call ${d.tool}: the tool needs ${d.needs}, and the plugin's manifest declares ${list(d.permissions, "no permission")}`,
    hint: "A plugin may call only the tools that its manifest's permissions cover",
  }),
  GUEST_LISTENER_OFF: (_: Readonly<Record<string, never>>) => ({
    message: "Cannot make a link for a guest: this server does not listen to guests",
    hint: "Start Bootwright with --guest-listen PORT; guests on user-mode networking reach it as 10.0.2.2",
  }),
  GUEST_PLUGIN_NOT_FOUND: (d: { plugin: string; known: readonly string[] }) => ({
    message: `Cannot make a link to plugin "${d.plugin}": no plugin of that name answers guests here`,
    hint: `Plugins that answer guests: ${list(d.known)}`,
  }),
  STORE_LOCKED: (d: { path: string }) => ({
    message: `Cannot use database "${d.path}": another program has locked it`,
    hint: "Close the program that has it open, then try again",
  }),
  STORE_READ_ONLY: (d: { path: string }) => ({
    message: `Cannot write database "${d.path}": it is read-only`,
    hint: "Give this user write permission, or choose another directory with --data",
  }),
  STORE_TOO_NEW: (d: { path: string; found: string; known: string }) => ({
    message: `Cannot open database "${d.path}": a newer Bootwright wrote it (its last migration is "${d.found}", this program's is "${d.known}")`,
    hint: "Update Bootwright; the database was left as it is",
  }),
  STORE_CORRUPT: (d: { path: string; reason: string }) => ({
    message: `Cannot read database "${d.path}": ${d.reason}`,
    hint: "The file was left as it is. Stop every Bootwright and move the file away. Then put a copy made by backup_database in its place, or call rebuild_database, which reads the VMs' metadata tags",
  }),
  STORE_UNAVAILABLE: (d: { path: string; reason: string }) => ({
    message: `Cannot open database "${d.path}": ${d.reason}`,
    hint: "Check its directory (--data sets another one), the permissions there and the space on its file system",
  }),
} satisfies Record<string, (details: never) => { message: string; hint: string }>;
