/** What whoever writes is given beside what is to be written. */
export type ApplyContext = Readonly<{
  /** The fingerprint that the definition must still have right before the write; absent for a VM that does not exist.
   * A backend that sees another throws VM_CHANGED_MEANWHILE and touches nothing. */
  expect?: string;
  signal: AbortSignal;
  progress: (message: string) => void;
}>;
