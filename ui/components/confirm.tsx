/** Asks before something is lost for good, and says what. What cannot come back by itself has to be named. */
import { useState } from "preact/hooks";
import { useWords } from "../language/language.ts";
import type { Act } from "./action-runner.ts";
import { Dialog } from "./dialog.tsx";
import { Said } from "./server-text.tsx";

export function Confirm({ act }: { act: Act }) {
  const t = useWords();
  const [typed, setTyped] = useState("");
  const question = act.asked.value;
  if (!question) return null;
  const { wanted, losses, again } = question;
  const needsName = wanted.tool === "delete_vm";
  const close = () => {
    setTyped("");
    act.asked.value = undefined;
  };
  return (
    <Dialog title={t.confirm.title(wanted.label, wanted.vmName)} close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (needsName && typed !== wanted.vmName) return;
          setTyped("");
          void act.agree();
        }}
      >
        {again && <p>{t.confirm.expired}</p>}
        <p>{t.confirm.loses}</p>
        <ul class="losses">
          {losses.map((loss) => (
            <li key={loss}>
              <Said text={loss} />
            </li>
          ))}
        </ul>
        {needsName && (
          <label class="field">
            <span>{t.confirm.type(wanted.vmName)}</span>
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
          <button type="submit" class="button danger" disabled={needsName && typed !== wanted.vmName}>
            {wanted.label}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
