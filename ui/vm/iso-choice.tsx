/** Which ISO is in the drive, and every other one a click away. */
import { useEffect, useState } from "preact/hooks";
import { type Answers, type Iso, Refused } from "../api/tool.ts";
import type { Words } from "../language/en.ts";
import { fileOf, sizeOf, useWords } from "../language/language.ts";
import type { Desk } from "./vm-actions.ts";

const SHOWN_MAX = 50;

export function IsoChoice({ desk, round }: { desk: Desk; round: number }) {
  const t = useWords();
  const { vm, act, call, does, may } = desk;
  const [search, setSearch] = useState("");
  const [list, setList] = useState<Answers["list_isos"] | undefined>(undefined);
  useEffect(() => {
    let isCurrent = true;
    const args = { connection: vm.connection, limit: SHOWN_MAX, ...(search.trim() && { search: search.trim() }) };
    // Letters that are typed in quick succession are one search.
    const timer = setTimeout(
      () =>
        call("list_isos", args).then(
          (found) => isCurrent && setList(found),
          (error: unknown) => {
            if (!(error instanceof Refused)) throw error;
          },
        ),
      search ? 150 : 0,
    );
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [call, vm.connection, search, round]);
  const locked = !vm.managed || act.busy.value !== undefined;
  const isos = list?.isos ?? [];
  return (
    <section class="card" aria-labelledby="iso">
      <h2 id="iso">{t.iso.title}</h2>
      <div class="drive">
        <p>
          {vm.current_media === undefined ? (
            t.iso.empty
          ) : (
            <>
              <span class="quiet">{t.iso.inDrive}: </span>
              <strong title={vm.current_media}>{fileOf(vm.current_media)}</strong>
            </>
          )}
          {vm.next_media !== undefined && <span class="quiet"> {t.iso.atNextStart(fileOf(vm.next_media))}</span>}
        </p>
        {(vm.current_media ?? vm.next_media) !== undefined && vm.managed && may("detach_iso") && (
          <button type="button" class="button" disabled={locked} onClick={() => does("detach_iso")}>
            {t.iso.eject}
          </button>
        )}
      </div>
      <label class="search">
        <span class="hidden">{t.iso.search}</span>
        <input
          id="iso-search"
          type="search"
          placeholder={t.iso.search}
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      </label>
      {/* A list that scrolls has to be reached by keys. */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <ul class="isos" aria-label={t.iso.title} tabIndex={0}>
        {isos.map((iso) => {
          const isIn = iso.path === vm.current_media || iso.path === vm.next_media;
          return (
            <li key={iso.path}>
              <button
                type="button"
                class="iso"
                aria-pressed={isIn}
                disabled={locked || !may("attach_iso")}
                title={iso.path}
                onClick={() => !isIn && does("attach_iso", { iso_path: iso.path })}
              >
                <strong>{iso.name}</strong>
                <small>{aboutIso(t, iso)}</small>
              </button>
            </li>
          );
        })}
      </ul>
      {list && isos.length === 0 && <p class="quiet">{t.iso.none}</p>}
      {list && list.total > isos.length && <p class="quiet">{t.iso.more(list.total - isos.length)}</p>}
      {list && list.total === 0 && <p class="quiet">{t.iso.library(list.directories.join(", "))}</p>}
    </section>
  );
}

function aboutIso(t: Words, { boots_bios, boots_uefi, volume_label, size_bytes, problem }: Iso): string {
  const { boots } = t.iso;
  const kind = boots_bios && boots_uefi ? boots.both : boots_bios ? boots.bios : boots_uefi ? boots.uefi : boots.none;
  const size = size_bytes === undefined ? undefined : sizeOf(size_bytes);
  return [volume_label, size, problem ?? kind].filter(Boolean).join(" · ");
}
