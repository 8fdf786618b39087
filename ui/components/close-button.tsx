/** The button that closes a notice. */
import { useWords } from "../language/language.ts";

export function CloseButton({ close }: { close: () => void }) {
  const t = useWords();
  return (
    <button type="button" class="close" aria-label={t.close} onClick={close}>
      <span aria-hidden="true">×</span>
    </button>
  );
}
