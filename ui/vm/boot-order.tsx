/** The four boot orders, each with what it would boot now. */
import type { Answers, Order, Prediction } from "../api/tool.ts";
import type { Words } from "../language/en.ts";
import { fileName, useWords } from "../language/language.ts";
import { toSentence } from "./findings.tsx";
import type { VmActions } from "./vm-actions.ts";

const orders = ["cdrom_hd", "hd", "hd_cdrom", "cdrom"] as const satisfies readonly Order[];

const describeBoot = (t: Words, { boots, path }: Pick<Prediction, "boots" | "path">): string =>
  boots === "cdrom"
    ? t.boot.wouldBoot.cdrom(path === undefined ? t.order.cdrom : fileName(path))
    : t.boot.wouldBoot[boots];

/** Says what would boot or, where nothing would, the server's reasons. */
function Forecast({ prediction }: { prediction: Prediction | undefined }) {
  const t = useWords();
  if (!prediction) return <small>&nbsp;</small>;
  const causes = prediction.boots === "none" ? prediction.devices.map(({ cause }) => cause).join("; ") : "";
  return (
    <small>
      {toSentence(describeBoot(t, prediction), causes ? ": " : ".")}
      {causes && <span lang="en">{causes}.</span>}
    </small>
  );
}

export function BootOrder({ actions, report }: { actions: VmActions; report: Answers["check_boot"] | undefined }) {
  const t = useWords();
  const { vm, runner, callTool, canCall } = actions;
  const isLocked = !vm.managed || !canCall("set_boot_order");
  return (
    <section class="card" aria-labelledby="boot-order">
      <h2 id="boot-order">{t.boot.title}</h2>
      {vm.boot_order === "custom" && <p class="quiet">{t.boot.custom}</p>}
      <fieldset class="orders" aria-labelledby="boot-order">
        {orders.map((order) => {
          const isChosen = vm.boot_order === order;
          const prediction = report?.orders?.find((one) => one.boot_order === order);
          return (
            <button
              type="button"
              class="order"
              key={order}
              aria-pressed={isChosen}
              disabled={isLocked || runner.busy.value !== undefined}
              onClick={() => !isChosen && callTool("set_boot_order", { boot_order: order })}
            >
              <span class="mark" aria-hidden="true" />
              <span>
                <strong>{t.order[order]}</strong>
                <Forecast prediction={prediction} />
              </span>
            </button>
          );
        })}
      </fieldset>
      {vm.power !== "off" && report && (
        <p class="quiet">
          {t.boot.hint} {t.boot.reboot(describeBoot(t, report.guest_reboot))}
        </p>
      )}
    </section>
  );
}
