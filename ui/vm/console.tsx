/** Where a VM's screen is shown, once somebody asks for it. */
import type { Desk } from "./desk.ts";

/** Nothing offers a console yet. */
export function Console(_props: { desk: Desk }) {
  return null;
}
