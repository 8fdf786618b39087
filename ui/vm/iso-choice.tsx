/** The ISO in the drive, and the library of those that can be attached. */
import { useEffect, useState } from "preact/hooks";
import { type Answers, type Iso, ignoreRefused } from "../api/tool.ts";
import type { Words } from "../language/en.ts";
import { fileName, formatSize, useWords } from "../language/language.ts";
import type { VmActions } from "./vm-actions.ts";

const SHOWN_MAX = 50;

export function IsoChoice({ actions, refreshes }: { actions: VmActions; refreshes: number }) {
  const t = useWords();
  const { vm, runner, call, callTool, canCall } = actions;
  const [search, setSearch] = useState("");
  const [list, setList] = useState<Answers["list_isos"] | undefined>(undefined);
  useEffect(() => {
    let isCurrent = true;
    const args = { connection: vm.connection, limit: SHOWN_MAX, ...(search.trim() && { search: search.trim() }) };
    // Letters typed in quick succession make one search.
    const timer = setTimeout(
      () => call("list_isos", args).then((found) => isCurrent && setList(found), ignoreRefused),
      search ? 150 : 0,
    );
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [call, vm.connection, search, refreshes]);
  const isLocked = !vm.managed || runner.busy.value !== undefined;
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
              <strong title={vm.current_media}>{fileName(vm.current_media)}</strong>
            </>
          )}
          {vm.next_media !== undefined && <span class="quiet"> {t.iso.atNextStart(fileName(vm.next_media))}</span>}
        </p>
        {(vm.current_media ?? vm.next_media) !== undefined && vm.managed && canCall("detach_iso") && (
          <button type="button" class="button" disabled={isLocked} onClick={() => callTool("detach_iso")}>
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
      {/* A list that scrolls must be reachable by keys. */}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <ul class="isos" aria-label={t.iso.title} tabIndex={0}>
        {isos.map((iso) => {
          const isInserted = iso.path === vm.current_media || iso.path === vm.next_media;
          return (
            <li key={iso.path}>
              <button
                type="button"
                class="iso"
                aria-pressed={isInserted}
                disabled={isLocked || !canCall("attach_iso")}
                title={iso.path}
                onClick={() => !isInserted && callTool("attach_iso", { iso_path: iso.path })}
              >
                <strong>{iso.name}</strong>
                <small>{describeIso(t, iso)}</small>
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

function describeIso(t: Words, { boots_bios, boots_uefi, volume_label, size_bytes, problem }: Iso): string {
  const { boots } = t.iso;
  const kind = boots_bios && boots_uefi ? boots.both : boots_bios ? boots.bios : boots_uefi ? boots.uefi : boots.none;
  const size = size_bytes === undefined ? undefined : formatSize(size_bytes);
  return [volume_label, size, problem ?? kind].filter(Boolean).join(" · ");
}
