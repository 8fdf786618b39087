/** Where a VM's screen is shown, once somebody asks for it. */
import { openConsole } from "../api/console.ts";
import type { PageFacts } from "../api/facts.ts";
import { Refused } from "../api/tool.ts";
import { Console as Screen } from "../console/console.tsx";
import { usePageWords } from "../language/page-words.ts";
import { said } from "../language/server-text.ts";
import type { Desk } from "./vm-actions.ts";

/** Keys change things, so it is for those who may. */
export function Console({ desk: { vm, may }, facts }: { desk: Desk; facts: PageFacts }) {
  const t = usePageWords();
  if (!vm.managed || !facts.consoles.includes(vm.connection) || !may("start_vm")) return null;
  const { uuid, power } = vm;
  return (
    <Screen key={uuid} vm={vm} words={t.console} on={power !== "off"} open={() => openConsole(uuid).catch(retold)} />
  );
}

function retold(error: unknown): never {
  if (!(error instanceof Refused)) throw error;
  const { code, message } = error.refusal;
  throw new Error([said.inOwnWords(message, code), message].filter(Boolean).join(" "), { cause: error });
}
