/** The VM's hardware and identity. */
import type { Vm } from "../api/tool.ts";
import { formatSize } from "../language/language.ts";
import { usePageWords } from "../language/page-words.ts";

export function Hardware({ vm }: { vm: Vm }) {
  const p = usePageWords();
  const facts: [string, string | number | undefined][] = [
    [p.facts.connection, vm.connection],
    [p.facts.firmware, vm.firmware && p.create.firmwares[vm.firmware]],
    [p.facts.memory, vm.memory_mb === undefined ? undefined : formatSize(vm.memory_mb * 1024 ** 2)],
    [p.facts.cpus, vm.cpus],
    [p.facts.accelerator, vm.accelerator],
    [p.facts.uuid, vm.uuid],
    [p.facts.serial, vm.serial_log],
  ];
  return (
    <section class="card" aria-labelledby="hardware">
      <h2 id="hardware">{p.facts.title}</h2>
      <dl class="facts">
        {facts
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => (
            <div key={name} class={String(value).length > 20 ? "wide" : undefined}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
    </section>
  );
}
