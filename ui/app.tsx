/** The page's frame, and which of its places is shown. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { PageFacts } from "./api/facts.ts";
import type { CallTool } from "./api/tool.ts";
import { LanguageChoice, ThemeChoice } from "./components/choices.tsx";
import { usePageWords } from "./language/page-words.ts";
import { VmList } from "./list/vm-list.tsx";
import type { Fleet } from "./list/vm-store.ts";
import { VmPage } from "./vm/vm-page.tsx";

type Place = Readonly<{ kind: "list" }> | Readonly<{ kind: "vm"; uuid: string }>;

function placeOf(hash: string): Place {
  const [, uuid] = /^#\/vms\/([^/]+)$/.exec(hash) ?? [];
  return uuid === undefined ? { kind: "list" } : { kind: "vm", uuid: decodeURIComponent(uuid) };
}
const place = signal(placeOf(location.hash));
/** It leads to a part of the page, which the browser has then given the focus, and not to another place. */
const SKIP = "#main";
let hash = location.hash;
addEventListener("hashchange", () => {
  if (location.hash === SKIP) return history.replaceState(null, "", hash || "#/");
  hash = location.hash;
  place.value = placeOf(hash);
});

export function App({ facts, call, fleet }: { facts: PageFacts; call: CallTool; fleet: Fleet }) {
  const p = usePageWords();
  const main = useRef<HTMLElement>(null);
  const here = place.value;
  const key = here.kind === "vm" ? here.uuid : "list";
  const first = useRef(true);
  const name = here.kind === "vm" ? fleet.vms.value?.get(here.uuid)?.name : undefined;
  useEffect(() => {
    document.title = [name ?? p.list.title, p.brand].join(" – ");
  }, [name, p]);
  useEffect(() => {
    // Whoever does not see the page hears that it is another one.
    if (!first.current) {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    first.current = false;
  }, [key]);
  return (
    <>
      <a class="skip" href={SKIP}>
        {p.skip}
      </a>
      <header class="top">
        <a class="brand" href="#/">
          {p.brand}
        </a>
        <div class="row">
          <LanguageChoice />
          <ThemeChoice />
          <button type="button" class="button plain" onClick={() => void logOut()}>
            {p.logOut}
          </button>
        </div>
      </header>
      <div role="status" aria-live="polite">
        {!fleet.connected.value && <p class="banner">{p.offline}</p>}
      </div>
      <main id="main" ref={main} tabIndex={-1}>
        {here.kind === "vm" ? (
          <VmPage key={here.uuid} uuid={here.uuid} call={call} fleet={fleet} facts={facts} />
        ) : (
          <VmList call={call} fleet={fleet} facts={facts} />
        )}
      </main>
    </>
  );
}

async function logOut(): Promise<void> {
  await fetch("/logout", { method: "POST" }).catch(() => undefined);
  location.replace("/login");
}
