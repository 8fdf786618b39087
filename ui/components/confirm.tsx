/** The dialog that names what is lost for good and asks for agreement. Deleting a VM asks for its name. */
import { useState } from "preact/hooks";
import { useWords } from "../language/language.ts";
import type { ActionRunner } from "./action-runner.ts";
import { Dialog } from "./dialog.tsx";
import { ServerText } from "./server-text.tsx";

export function Confirm({ runner }: { runner: ActionRunner }) {
  const t = useWords();
  const [typed, setTyped] = useState("");
  const confirmation = runner.confirmation.value;
  if (!confirmation) return null;
  const { action, losses, isRepeated } = confirmation;
  const needsName = action.tool === "delete_vm";
  const close = () => {
    setTyped("");
    runner.confirmation.value = undefined;
  };
  return (
    <Dialog title={t.confirm.title(action.label, action.vmName)} close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (needsName && typed !== action.vmName) return;
          setTyped("");
          void runner.confirm();
        }}
      >
        {isRepeated && <p>{t.confirm.expired}</p>}
        <p>{t.confirm.loses}</p>
        <ul class="losses">
          {losses.map((loss) => (
            <li key={loss}>
              <ServerText text={loss} />
            </li>
          ))}
        </ul>
        {needsName && (
          <label class="field">
            <span>{t.confirm.type(action.vmName)}</span>
            <input
              value={typed}
              autocomplete="off"
              spellcheck={false}
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          </label>
        )}
        <div class="row end">
          <button type="button" class="button" onClick={close}>
            {t.cancel}
          </button>
          <button type="submit" class="button danger" disabled={needsName && typed !== action.vmName}>
            {action.label}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
