/** The dialog that creates a VM. A name and an ISO are enough. */
import { useEffect, useMemo, useState } from "preact/hooks";
import type { CallTool, Iso } from "../api/tool.ts";
import { createActionRunner } from "../components/action-runner.ts";
import { Dialog } from "../components/dialog.tsx";
import { Outcome } from "../components/outcome.tsx";
import { useWords } from "../language/language.ts";
import { usePageWords } from "../language/page-words.ts";
import { startAfterNavigation } from "../vm/start-after-navigation.ts";

type Props = Readonly<{ call: CallTool; connections: readonly string[]; close: () => void }>;

export function CreateVm({ call, connections, close }: Props) {
  const t = useWords();
  const p = usePageWords();
  const [isos, setIsos] = useState<readonly Iso[]>([]);
  const [connection, setConnection] = useState<string | undefined>(connections.length > 1 ? connections[0] : undefined);
  const runner = useMemo(() => createActionRunner(call, () => {}), [call]);
  useEffect(() => {
    call("list_isos", { limit: 1000, ...(connection && { connection }) }).then(
      (list) => setIsos(list.isos),
      () => undefined,
    );
  }, [call, connection]);

  async function create(form: HTMLFormElement): Promise<void> {
    const data = new FormData(form);
    const text = (name: string) => String(data.get(name) ?? "");
    const vmName = text("name").trim();
    const iso = text("iso");
    const args = {
      name: vmName,
      ...(connection && { connection }),
      disk_size_gb: Number(text("disk")),
      memory_mb: Number(text("memory")),
      cpus: Number(text("cpus")),
      firmware: text("firmware"),
      ...(data.has("tpm") && { tpm: true }),
      ...(iso && { iso_path: iso }),
    };
    const created = await runner.run({ tool: "create_vm", args, label: p.create.title, vmName });
    if (!created) return;
    const { uuid } = created.vm as { uuid: string };
    if (data.has("start")) startAfterNavigation(uuid);
    close();
    location.hash = `#/vms/${uuid}`;
  }

  const busy = runner.busy.value !== undefined;
  return (
    <Dialog title={p.create.title} close={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void create(event.currentTarget);
        }}
      >
        <Outcome runner={runner} />
        <div class="field">
          <label for="create-name">{p.create.name}</label>
          <input
            id="create-name"
            name="name"
            required
            maxLength={64}
            pattern="[A-Za-z0-9][A-Za-z0-9_.\-]*"
            autocomplete="off"
            spellcheck={false}
            title={p.create.nameHint}
            aria-describedby="create-name-hint"
          />
          <small id="create-name-hint">{p.create.nameHint}</small>
        </div>
        {connection !== undefined && (
          <label class="field">
            <span>{p.create.connection}</span>
            <select value={connection} onChange={(event) => setConnection(event.currentTarget.value)}>
              {connections.map((one) => (
                <option key={one} value={one}>
                  {one}
                </option>
              ))}
            </select>
          </label>
        )}
        <label class="field">
          <span>{p.create.iso}</span>
          <select name="iso">
            <option value="">{p.create.noIso}</option>
            {isos.map(({ name, path, volume_label: label }) => (
              <option key={path} value={path}>
                {label ? `${name} (${label})` : name}
              </option>
            ))}
          </select>
        </label>
        <div class="fields">
          <label class="field">
            <span>{p.create.disk}</span>
            <input name="disk" type="number" min="0.001" step="any" defaultValue="20" required />
          </label>
          <label class="field">
            <span>{p.create.memory}</span>
            <input name="memory" type="number" min="64" step="1" defaultValue="2048" required />
          </label>
          <label class="field">
            <span>{p.create.cpus}</span>
            <input name="cpus" type="number" min="1" max="512" step="1" defaultValue="2" required />
          </label>
        </div>
        <label class="field">
          <span>{p.create.firmware}</span>
          <select name="firmware">
            {(["bios", "uefi", "uefi_secure"] as const).map((one) => (
              <option key={one} value={one}>
                {p.create.firmwares[one]}
              </option>
            ))}
          </select>
        </label>
        <label class="check">
          <input type="checkbox" name="tpm" /> {p.create.tpm}
        </label>
        <label class="check">
          <input type="checkbox" name="start" /> {p.create.start}
        </label>
        <div class="row end">
          <button type="button" class="button" onClick={close}>
            {t.cancel}
          </button>
          <button type="submit" class="button primary" disabled={busy}>
            {busy ? p.create.submitting : p.create.submit}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
