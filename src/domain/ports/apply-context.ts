/** The context of a write. */
export type ApplyContext = Readonly<{
  /** The fingerprint that the definition must have right before the write; absent for a VM that does not exist. A
   * backend that sees another fingerprint throws VM_CHANGED_MEANWHILE and touches nothing. */
  expect?: string;
  signal: AbortSignal;
  progress: (message: string) => void;
}>;
