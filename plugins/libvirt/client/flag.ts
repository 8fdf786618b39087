// libvirt's flags and enumerations that its calls take and give, by its own numbers (libvirt-domain.h, 9.0).

/** virConnectListAllDomainsFlags, also for connectGetAllDomainStats. Groups that are left out do not select. */
export const LIST_DOMAINS = {
  active: 1,
  inactive: 2,
  persistent: 4,
  transient: 8,
  running: 16,
  paused: 32,
  shutoff: 64,
  other: 128,
  managedSave: 256,
  noManagedSave: 512,
} as const;

/** virDomainState. */
export const DOMAIN_STATE = {
  none: 0,
  running: 1,
  blocked: 2,
  paused: 3,
  shutdown: 4,
  shutoff: 5,
  crashed: 6,
  pmSuspended: 7,
} as const;

/** virDomainShutoffReason. */
export const SHUTOFF_REASON = {
  unknown: 0,
  shutdown: 1,
  destroyed: 2,
  crashed: 3,
  migrated: 4,
  saved: 5,
  failed: 6,
  fromSnapshot: 7,
  daemon: 8,
} as const;

/** virDomainPausedReason, as far as this program distinguishes them. */
export const PAUSED_REASON = {
  unknown: 0,
  user: 1,
  migration: 2,
  save: 3,
  dump: 4,
  ioError: 5,
  watchdog: 6,
  fromSnapshot: 7,
  shuttingDown: 8,
  snapshot: 9,
  crashed: 10,
  startingUp: 11,
  postcopy: 12,
} as const;

/** virDomainXMLFlags. */
export const DOMAIN_XML = { secure: 1, inactive: 2, updateCpu: 4, migratable: 8 } as const;

/** virDomainDefineFlags. */
export const DOMAIN_DEFINE = { validate: 1 } as const;

/** virDomainCreateFlags. */
export const DOMAIN_START = {
  paused: 1,
  autodestroy: 2,
  bypassCache: 4,
  forceBoot: 8,
  validate: 16,
  resetNvram: 32,
} as const;

/** virDomainShutdownFlagValues; virDomainRebootFlagValues are the same numbers. */
export const DOMAIN_SHUTDOWN = { default: 0, acpiPowerButton: 1, guestAgent: 2 } as const;

/** virDomainDestroyFlagsValues. */
export const DOMAIN_DESTROY = { default: 0, graceful: 1, removeLogs: 2 } as const;

/** virDomainUndefineFlagsValues. */
export const DOMAIN_UNDEFINE = {
  managedSave: 1,
  snapshotsMetadata: 2,
  nvram: 4,
  keepNvram: 8,
  checkpointsMetadata: 16,
  tpm: 32,
  keepTpm: 64,
} as const;

/** virDomainModificationImpact. */
export const DOMAIN_AFFECT = { current: 0, live: 1, config: 2 } as const;

/** virDomainDeviceModifyFlags. */
export const DEVICE_MODIFY = { current: 0, live: 1, config: 2, force: 4 } as const;

/** virDomainStatsTypes. */
export const DOMAIN_STATS = {
  state: 1,
  cpuTotal: 2,
  balloon: 4,
  vcpu: 8,
  interface: 16,
  block: 32,
  perf: 64,
  iothread: 128,
  memory: 256,
} as const;

/** virConnectGetAllDomainStatsFlags beyond LIST_DOMAINS. */
export const STATS_FLAG = { nowait: 0x2000_0000, backing: 0x4000_0000, enforceStats: 0x8000_0000 } as const;

/** virDomainLifecycle. */
export const LIFECYCLE = { poweroff: 0, reboot: 1, crash: 2 } as const;

/** virDomainLifecycleAction. */
export const LIFECYCLE_ACTION = {
  destroy: 0,
  restart: 1,
  restartRename: 2,
  preserve: 3,
  coredumpDestroy: 4,
  coredumpRestart: 5,
} as const;

/** virDomainMetadataType. */
export const METADATA_TYPE = { description: 0, title: 1, element: 2 } as const;

/** virDomainEventType: the field `event` of a lifecycle event. */
export const LIFECYCLE_EVENT = {
  defined: 0,
  undefined: 1,
  started: 2,
  suspended: 3,
  resumed: 4,
  stopped: 5,
  shutdown: 6,
  pmSuspended: 7,
  crashed: 8,
} as const;

/** virDomainGuestInfoTypes. */
export const GUEST_INFO = {
  users: 1,
  os: 2,
  timezone: 4,
  hostname: 8,
  filesystem: 16,
  disks: 32,
  interfaces: 64,
} as const;

/** virKeycodeSet, as far as this program uses them. */
export const KEYCODE_SET = { linux: 0, xt: 1, usb: 7 } as const;
