/** What the machine is made of. */
import type { Vm } from "../api/tool.ts";
import { sizeOf, useWords } from "../language/language.ts";
import { usePageWords } from "../language/page-words.ts";

export function Machine({ vm }: { vm: Vm }) {
  const t = useWords();
  const p = usePageWords();
  const facts: [string, string | number | undefined][] = [
    [p.facts.connection, vm.connection],
    [p.facts.firmware, vm.firmware && p.create.firmwares[vm.firmware]],
    [p.facts.memory, vm.memory_mb === undefined ? undefined : sizeOf(vm.memory_mb * 1024 ** 2)],
    [p.facts.cpus, vm.cpus],
    [p.facts.accelerator, vm.accelerator],
    [p.facts.uuid, vm.uuid],
    [p.facts.serial, vm.serial_log],
  ];
  return (
    <section class="card" aria-labelledby="machine">
      <h2 id="machine">{t.vm.facts}</h2>
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
