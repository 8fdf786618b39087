/** Example request bodies, by route. */
export const examples: Readonly<Record<string, unknown>> = {
  create_vm: { name: "web", iso_path: "debian-13.iso", disk_size_gb: 20, memory_mb: 2048, cpus: 2 },
  vm_action: { action: "start" },
  stop_vm: { timeout_seconds: 120 },
  set_boot_order: { boot_order: "hd" },
  attach_iso: { iso_path: "/srv/isos/debian-13.iso" },
  vm_media: { iso_path: "/srv/isos/debian-13.iso" },
  complete_installation: { boot_order: "hd", detach_iso: true },
  resize_disk: { size_gb: 50 },
};
