/** The disk: its size, what it takes on the host, what the host has left, and growing it. */
import { useState } from "preact/hooks";
import type { Answers } from "../api/tool.ts";
import { formatGib, formatSize, useWords } from "../language/language.ts";
import { toSentence } from "./findings.tsx";
import type { VmActions } from "./vm-actions.ts";

type Info = Answers["get_disk_info"];

export function Disk({ actions, disk, isChecked }: { actions: VmActions; disk: Info | undefined; isChecked: boolean }) {
  const t = useWords();
  const { vm, runner, canCall, callTool, applyFix } = actions;
  const [size, setSize] = useState("");
  const busy = runner.busy.value !== undefined;
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
              <SpaceChart disk={disk} />
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
            {isChecked && disk.corrupt === false && <p>{t.disk.clean}</p>}
          </div>
          {vm.managed && (
            <form
              class="grow"
              onSubmit={(event) => {
                event.preventDefault();
                callTool(
                  "resize_disk",
                  { size_gb: Number(size) },
                  `${t.call.resize_disk} (${formatGib(Number(size))})`,
                );
                setSize("");
              }}
            >
              {canCall("resize_disk") && (
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
                onClick={() => applyFix({ tool: "get_disk_info", arguments: { vm: vm.uuid, check: true } })}
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

/** Two bars, each with a scale of its own: the disk with its used part, the host with its free space. */
function SpaceChart({ disk }: { disk: Info }) {
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
            <dd>{formatSize(virtual)}</dd>
          </div>
          <div>
            <dt>
              <span class="key actual" aria-hidden="true" />
              {t.disk.actual}
            </dt>
            <dd>{formatSize(actual)}</dd>
          </div>
          <div>
            <dt>
              <span class="key others" aria-hidden="true" />
              {t.disk.used}
            </dt>
            <dd>{formatSize(others)}</dd>
          </div>
          <div>
            <dt>
              <span class="key" aria-hidden="true" />
              {t.disk.free}
            </dt>
            <dd>{formatSize(free)}</dd>
          </div>
        </dl>
        {virtual - actual > free && <p class="severity warning">{toSentence(t.disk.over)}</p>}
      </figcaption>
    </figure>
  );
}
