// Detects a hung daemon, which keeps its socket open. After `intervalMs` of silence the daemon is pinged; after `count`
// pings without an answer it counts as dead.

export interface KeepaliveOptions {
  /** 0 turns our own pings off; the daemon's are answered all the same. */
  readonly intervalMs: number;
  readonly count: number;
}

export const KEEPALIVE_DEFAULT: KeepaliveOptions = { intervalMs: 5000, count: 5 };

export interface Keepalive {
  /** Notes that any data arrived. */
  heard(): void;
  stop(): void;
}

/** Watches one connection until `stop()`. */
export function startKeepalive(
  options: KeepaliveOptions,
  ping: () => void,
  dead: (silentMs: number) => void,
): Keepalive {
  if (options.intervalMs === 0) return { heard() {}, stop() {} };
  let quiet = false;
  let unanswered = 0;
  const timer = setInterval(() => {
    if (!quiet) {
      quiet = true;
      return;
    }
    if (unanswered >= options.count) {
      clearInterval(timer);
      dead(options.intervalMs * (options.count + 1));
      return;
    }
    unanswered++;
    ping();
  }, options.intervalMs);
  timer.unref();
  return {
    heard() {
      quiet = false;
      unanswered = 0;
    },
    stop: () => clearInterval(timer),
  };
}
