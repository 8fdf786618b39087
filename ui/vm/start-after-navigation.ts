/** Starting a VM once its own page is shown, where the outcome is seen. */
let uuid: string | undefined;

export function startAfterNavigation(vm: string): void {
  uuid = vm;
}

/** Whether this VM is to be started. Returns true once. */
export function takeStartAfterNavigation(vm: string): boolean {
  if (uuid !== vm) return false;
  uuid = undefined;
  return true;
}
