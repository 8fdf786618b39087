/** The console of one VM in the page, opened on demand. */
import { openConsole } from "../api/console.ts";
import type { PageFacts } from "../api/facts.ts";
import { Refused } from "../api/tool.ts";
import { Console as Screen } from "../console/console.tsx";
import { usePageWords } from "../language/page-words.ts";
import { serverText } from "../language/server-text.ts";
import type { VmActions } from "./vm-actions.ts";

/** Keys act on the VM, so the console takes the scope that starting it takes. */
export function Console({ actions: { vm, canCall }, facts }: { actions: VmActions; facts: PageFacts }) {
  const t = usePageWords();
  if (!vm.managed || !facts.consoles.includes(vm.connection) || !canCall("start_vm")) return null;
  const { uuid, power } = vm;
  return (
    <Screen
      key={uuid}
      vm={vm}
      words={t.console}
      isOn={power !== "off"}
      open={() => openConsole(uuid).catch(rethrowTranslated)}
    />
  );
}

/** Puts the refusal's translation before its English text. */
function rethrowTranslated(error: unknown): never {
  if (!(error instanceof Refused)) throw error;
  const { code, message } = error.refusal;
  throw new Error([serverText.translate(message, code), message].filter(Boolean).join(" "), { cause: error });
}
