/** Files that say `// @module-tag long` are the first to be run, so that none of them is what everybody waits for at the end. */
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
