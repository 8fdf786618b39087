/** What a person does with each of the ways to reach a control. */
import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";

type Role = "button" | "link" | "checkbox";

/** `within` is the page, or the dialog that stands before it. */
export type InputMethod = Readonly<{
  press: (within: Page | Locator, role: Role, name: string | RegExp) => Promise<void>;
  write: (within: Page | Locator, label: string, text: string) => Promise<void>;
  choose: (page: Page, label: string, option: string) => Promise<void>;
}>;

export const mouse: InputMethod = {
  press: (within, role, name) => within.getByRole(role, { name }).first().click(),
  write: (within, label, text) => within.getByLabel(label, { exact: true }).fill(text),
  async choose(page, label, option) {
    await page.getByLabel(label).selectOption({ label: option });
  },
};

const pageOf = (within: Page | Locator): Page => ("page" in within ? within.page() : within);
const isFocused = (control: Locator) => control.evaluate((element) => element === document.activeElement);

/** Goes from control to control until it is at the one that is meant, as long as it takes to go round once. */
async function goTo(page: Page, control: Locator, key: string, what: string): Promise<void> {
  for (let steps = 0; steps < 150; steps += 1) {
    if (await isFocused(control)) {
      const ring = await page.evaluate(() => {
        const { activeElement } = document;
        const row = activeElement?.closest(".vm-row");
        return [activeElement, row].some((one) => one && getComputedStyle(one).outlineStyle !== "none");
      });
      expect(ring, `where the focus is, at ${what}, can be seen`).toBe(true);
      return;
    }
    await page.keyboard.press(key);
  }
  throw new Error(`${key} does not lead to ${what}`);
}

const keyboardWith = (key: "Tab" | "Shift+Tab"): InputMethod => ({
  async press(within, role, name) {
    const page = pageOf(within);
    const control = within.getByRole(role, { name }).first();
    await control.waitFor();
    await expect.poll(() => control.isEnabled(), { timeout: 60_000 }).toBe(true);
    await goTo(page, control, key, String(name));
    await page.keyboard.press(role === "checkbox" ? "Space" : "Enter");
  },
  async write(within, label, text) {
    const { keyboard } = pageOf(within);
    await goTo(pageOf(within), within.getByLabel(label, { exact: true }), key, label);
    await keyboard.press("Control+A");
    await keyboard.type(text);
  },
  async choose(page, label, option) {
    const field = page.getByLabel(label);
    const options = field.locator("option");
    await options.filter({ hasText: option }).first().waitFor({ state: "attached" });
    await goTo(page, field, key, label);
    const chosen = () => field.evaluate((element) => (element as HTMLSelectElement).selectedOptions[0]?.text);
    await page.keyboard.press("Home");
    for (let down = await options.count(); (await chosen()) !== option && down > 0; down -= 1)
      await page.keyboard.press("ArrowDown");
    expect(await chosen()).toBe(option);
  },
});

export const keyboard = keyboardWith("Tab");
/** The same from the page's end to its beginning. */
export const keyboardBackwards = keyboardWith("Shift+Tab");
