import { describe, expect, it } from "vitest";
import { progressLine } from "../../src/serve/progress-line.ts";

function terminal(isTTY: boolean) {
  let text = "";
  const line = progressLine({ isTTY, write: (more) => (text += more) });
  return { line, text: () => text };
}

describe("progress", () => {
  it("is a bar on a terminal, drawn anew in its line, which ends before anything else is written", () => {
    const { line, text } = terminal(true);
    line.show("copying", 0);
    line.show("copying", 0);
    line.show("copying", 50);
    line.show("copied", 100);
    line.show("looking");
    line.end();
    expect(text()).toBe(
      [
        `\r\u001b[2K[${" ".repeat(24)}]   0% copying`,
        `\r\u001b[2K[${"#".repeat(12)}${" ".repeat(12)}]  50% copying`,
        `\r\u001b[2K[${"#".repeat(24)}] 100% copied`,
        "\n… looking\n",
      ].join(""),
    );
  });

  it("is a line for each message where nobody looks", () => {
    const { line, text } = terminal(false);
    line.show("starting");
    line.show("copying", 33.3);
    line.show("copying", 33.3);
    line.end();
    expect(text()).toBe(`… starting\n[${"#".repeat(8)}${" ".repeat(16)}]  33% copying\n`);
  });

  it("is no longer than a line", () => {
    const { line, text } = terminal(true);
    line.show("x".repeat(500), 1);
    line.end();
    expect(text().trim().length).toBeLessThan(90);
  });
});
