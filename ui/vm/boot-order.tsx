/** The four boot orders, each with what it would boot now. */
import type { Answers, Order, Prediction } from "../api/tool.ts";
import type { Words } from "../language/en.ts";
import { fileOf, useWords } from "../language/language.ts";
import { sentence } from "./findings.tsx";
import type { Desk } from "./vm-actions.ts";

const orders = ["cdrom_hd", "hd", "hd_cdrom", "cdrom"] as const satisfies readonly Order[];

const bootInWords = (t: Words, { boots, path }: Pick<Prediction, "boots" | "path">): string =>
  boots === "cdrom"
    ? t.boot.wouldBoot.cdrom(path === undefined ? t.order.cdrom : fileOf(path))
    : t.boot.wouldBoot[boots];

/** What would boot; where nothing would, why, as the server says it. */
function Forecast({ of }: { of: Prediction | undefined }) {
  const t = useWords();
  if (!of) return <small>&nbsp;</small>;
  const causes = of.boots === "none" ? of.devices.map(({ cause }) => cause).join("; ") : "";
  return (
    <small>
      {sentence(bootInWords(t, of), causes ? ": " : ".")}
      {causes && <span lang="en">{causes}.</span>}
    </small>
  );
}

export function BootOrder({ desk, report }: { desk: Desk; report: Answers["check_boot"] | undefined }) {
  const t = useWords();
  const { vm, act, does, may } = desk;
  const locked = !vm.managed || !may("set_boot_order");
  return (
    <section class="card" aria-labelledby="boot-order">
      <h2 id="boot-order">{t.boot.title}</h2>
      {vm.boot_order === "custom" && <p class="quiet">{t.boot.custom}</p>}
      <fieldset class="orders" aria-labelledby="boot-order">
        {orders.map((order) => {
          const chosen = vm.boot_order === order;
          const forecast = report?.orders?.find((one) => one.boot_order === order);
          return (
            <button
              type="button"
              class={`order ${forecast?.boots === "none" ? "vain" : ""}`}
              key={order}
              aria-pressed={chosen}
              disabled={locked || act.busy.value !== undefined}
              onClick={() => !chosen && does("set_boot_order", { boot_order: order })}
            >
              <span class="mark" aria-hidden="true" />
              <span>
                <strong>{t.order[order]}</strong>
                <Forecast of={forecast} />
              </span>
            </button>
          );
        })}
      </fieldset>
      {vm.power !== "off" && report && (
        <p class="quiet">
          {t.boot.hint} {t.boot.reboot(bootInWords(t, report.guest_reboot))}
        </p>
      )}
    </section>
  );
}
