import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/config/config.ts";

describe("a place to listen", () => {
  it.each(["0", "65536", "::1:80", "http://localhost:80", "localhost:", " 80"])(
    "is not %j, and the refusal says what would be one",
    (text) => {
      expect(() => readConfig([`--guest-listen=${text}`], {})).toThrow("--guest-listen: ");
      expect(() => readConfig([`--guest-listen=${text}`], {})).toThrow("is no [ADDRESS:]PORT, 8473 or");
    },
  );
});
