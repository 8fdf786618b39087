/** Something that happened in one run and leaves no trace that a later look could find. */
export type Occurrence = Readonly<
  | { type: "rebooted" }
  | { type: "io_error"; target?: string; reason?: string }
  | { type: "space_low"; target: string; freeBytes: number }
> &
  Readonly<{ run: string }>;
