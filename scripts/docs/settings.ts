/** The table of settings. */
import { settings, variableOf } from "../../src/config/config.ts";
import { code, table } from "./markdown.ts";

export const settingsTable = (): string =>
  table(
    ["flag", "variable", "default", "meaning"],
    Object.entries(settings).map(([name, { shown, help }]) => [
      code(`--${name}`),
      code(variableOf(name)),
      code(shown),
      help,
    ]),
  );
