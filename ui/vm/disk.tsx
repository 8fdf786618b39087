/** The disk: how large it is, what it takes, what the host has left, and making it larger. */
import { useState } from "preact/hooks";
import type { Answers } from "../api/tool.ts";
import { gibOf, sizeOf, useWords } from "../language/language.ts";
import { sentence } from "./findings.tsx";
import type { Desk } from "./vm-actions.ts";

type Info = Answers["get_disk_info"];

export function Disk({ desk, disk, checked }: { desk: Desk; disk: Info | undefined; checked: boolean }) {
  const t = useWords();
  const { vm, act, may, does, fix } = desk;
  const [size, setSize] = useState("");
  const busy = act.busy.value !== undefined;
  return (
    <section class="card" aria-labelledby="disk">
      <h2 id="disk" tabIndex={-1}>
        {t.disk.title}
      </h2>
      {disk && (
        <>
          {disk.state === "ok" ? (
            <>
              <p>
                {t.disk.content[disk.content]}
                {disk.format !== undefined && <span class="quiet"> · {disk.format}</span>}
              </p>
              <Picture disk={disk} />
            </>
          ) : (
            <p class="severity error">{t.disk.missing}</p>
          )}
          {disk.path !== undefined && <p class="path">{disk.path}</p>}
          {disk.backing_chain.map((path) => (
            <p class="quiet path" key={path}>
              {t.disk.chain(path)}
            </p>
          ))}
          <div role="status">
            {disk.corrupt === true && <p class="severity error">{t.disk.corrupt}</p>}
            {checked && disk.corrupt === false && <p>{t.disk.clean}</p>}
          </div>
          {vm.managed && (
            <form
              class="grow"
              onSubmit={(event) => {
                event.preventDefault();
                does("resize_disk", { size_gb: Number(size) }, `${t.call.resize_disk} (${gibOf(Number(size))})`);
                setSize("");
              }}
            >
              {may("resize_disk") && (
                <>
                  <label class="field">
                    <span>{t.disk.growTo}</span>
                    <input
                      type="number"
                      step="any"
                      min={disk.size_gb ?? 0}
                      value={size}
                      required
                      placeholder={String(Math.ceil((disk.size_gb ?? 10) * 1.5))}
                      onInput={(event) => setSize(event.currentTarget.value)}
                    />
                  </label>
                  <button type="submit" class="button" disabled={busy}>
                    {t.disk.grow}
                  </button>
                </>
              )}
              <button
                type="button"
                class="button"
                disabled={busy || vm.power !== "off"}
                onClick={() => fix({ tool: "get_disk_info", arguments: { vm: vm.uuid, check: true } })}
              >
                {t.disk.check}
              </button>
            </form>
          )}
          {vm.managed && <p class="quiet">{t.disk.growHint}</p>}
        </>
      )}
    </section>
  );
}

/** Two bars in one scale each: the disk with what of it is taken, the host with what is free. */
function Picture({ disk }: { disk: Info }) {
  const t = useWords();
  const { virtual_size_bytes: virtual = 0, actual_size_bytes: actual = 0 } = disk;
  const { host_free_bytes: free, host_total_bytes: total } = disk;
  const share = (part: number, whole: number) => `${whole > 0 ? Math.min(100, Math.max(0, (part / whole) * 100)) : 0}%`;
  const others = Math.max(0, total - free - actual);
  return (
    <figure class="space">
      <div class="bar" aria-hidden="true">
        <span class="part actual" style={{ width: share(actual, virtual) }} />
      </div>
      <div class="bar" aria-hidden="true">
        <span class="part others" style={{ width: share(others, total) }} />
        <span class="part actual" style={{ width: share(actual, total) }} />
      </div>
      <figcaption>
        <dl class="legend">
          <div>
            <dt>{t.disk.virtual}</dt>
            <dd>{sizeOf(virtual)}</dd>
          </div>
          <div>
            <dt>
              <span class="key actual" aria-hidden="true" />
              {t.disk.actual}
            </dt>
            <dd>{sizeOf(actual)}</dd>
          </div>
          <div>
            <dt>
              <span class="key others" aria-hidden="true" />
              {t.disk.used}
            </dt>
            <dd>{sizeOf(others)}</dd>
          </div>
          <div>
            <dt>
              <span class="key" aria-hidden="true" />
              {t.disk.free}
            </dt>
            <dd>{sizeOf(free)}</dd>
          </div>
        </dl>
        {virtual - actual > free && <p class="severity warning">{sentence(t.disk.over)}</p>}
      </figcaption>
    </figure>
  );
}
