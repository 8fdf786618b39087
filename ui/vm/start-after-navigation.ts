/** The VM that is to be started once its own page is shown, where everybody sees what comes of it. */
let uuid: string | undefined;

export function startOnArrival(vm: string): void {
  uuid = vm;
}

/** Whether it is this one; asked once. */
export function arrivesToStart(vm: string): boolean {
  if (uuid !== vm) return false;
  uuid = undefined;
  return true;
}
