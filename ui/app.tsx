/** The page's frame, and the route that is shown in it. */
import { type ReadonlySignal, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { PageFacts } from "./api/facts.ts";
import type { CallTool } from "./api/tool.ts";
import { LanguageChoice, ThemeChoice } from "./components/choices.tsx";
import { usePageWords } from "./language/page-words.ts";
import type { JobStore } from "./list/job-store.ts";
import { VmList } from "./list/vm-list.tsx";
import type { VmStore } from "./list/vm-store.ts";
import { VmPage } from "./vm/vm-page.tsx";

type Route = Readonly<{ kind: "list" }> | Readonly<{ kind: "vm"; uuid: string }>;

function parseRoute(hash: string): Route {
  const [, uuid] = /^#\/vms\/([^/]+)$/.exec(hash) ?? [];
  return uuid === undefined ? { kind: "list" } : { kind: "vm", uuid: decodeURIComponent(uuid) };
}
const currentRoute = signal(parseRoute(location.hash));
/** The skip link leads to a part of the page, which the browser has then focused, and to no other route. */
const SKIP = "#main";
let hash = location.hash;
addEventListener("hashchange", () => {
  if (location.hash === SKIP) return history.replaceState(null, "", hash || "#/");
  hash = location.hash;
  currentRoute.value = parseRoute(hash);
});

type Props = Readonly<{
  facts: PageFacts;
  call: CallTool;
  connected: ReadonlySignal<boolean>;
  vmStore: VmStore;
  jobStore: JobStore;
}>;

export function App({ connected, ...shared }: Props) {
  const p = usePageWords();
  const main = useRef<HTMLElement>(null);
  const route = currentRoute.value;
  const key = route.kind === "vm" ? route.uuid : "list";
  const isFirst = useRef(true);
  const name = route.kind === "vm" ? shared.vmStore.vms.value?.get(route.uuid)?.name : undefined;
  useEffect(() => {
    document.title = [name ?? p.list.title, p.brand].join(" – ");
  }, [name, p]);
  useEffect(() => {
    // A screen reader announces the new route by the focus.
    if (!isFirst.current) {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    isFirst.current = false;
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
        {!connected.value && <p class="banner">{p.offline}</p>}
      </div>
      <main id="main" ref={main} tabIndex={-1}>
        {route.kind === "vm" ? <VmPage key={route.uuid} uuid={route.uuid} {...shared} /> : <VmList {...shared} />}
      </main>
    </>
  );
}

async function logOut(): Promise<void> {
  await fetch("/logout", { method: "POST" }).catch(() => undefined);
  location.replace("/login");
}
