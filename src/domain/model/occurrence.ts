/** An occurrence in one run that a later observation cannot see. */
export type Occurrence = Readonly<
  | { type: "rebooted" }
  | { type: "io_error"; target?: string; reason?: string }
  | { type: "space_low"; target: string; freeBytes: number }
> &
  Readonly<{ run: string }>;
