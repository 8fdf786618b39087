import { expect, test } from "vitest";
import { readConfig } from "../src/config/config.ts";

test.each(["0", "65536", "::1:80", "http://localhost:80", "localhost:", " 80"])("%j is no place to listen", (text) => {
  expect(() => readConfig([`--guest-listen=${text}`], {})).toThrow("--guest-listen: ");
  expect(() => readConfig([`--guest-listen=${text}`], {})).toThrow("is no [ADDRESS:]PORT, 8473 or");
});
