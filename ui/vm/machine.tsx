/** What the machine is made of. */
import type { Vm } from "../api/tool.ts";
import { sizeOf, useWords } from "../language/language.ts";

export function Machine({ vm }: { vm: Vm }) {
  const t = useWords();
  const facts: [string, string | number | undefined][] = [
    [t.facts.connection, vm.connection],
    [t.facts.firmware, vm.firmware && t.create.firmwares[vm.firmware]],
    [t.facts.memory, vm.memory_mb === undefined ? undefined : sizeOf(vm.memory_mb * 1024 ** 2)],
    [t.facts.cpus, vm.cpus],
    [t.facts.accelerator, vm.accelerator],
    [t.facts.uuid, vm.uuid],
    [t.facts.serial, vm.serial_log],
  ];
  return (
    <section class="card" aria-labelledby="machine">
      <h2 id="machine">{t.vm.facts}</h2>
      <dl class="facts">
        {facts
          .filter(([, value]) => value !== undefined)
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
    </section>
  );
}
