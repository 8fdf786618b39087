/** Runs files that say `// @module-tag long` first, so that no run waits for one of them at its end. */
import { readFileSync } from "node:fs";
import { BaseSequencer, type TestSpecification } from "vitest/node";

export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => /^\/\/ @module-tag long$/m.test(readFileSync(moduleId, "utf8"));
    const { true: long = [], false: others = [] } = Object.groupBy(
      await super.sort(files),
      (file) => `${isLong(file)}`,
    );
    return [...long, ...others];
  }
}
