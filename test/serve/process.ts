/** One run of the program to its end, as a shell would make it. */
import { execa } from "execa";
import { serverPath } from "../support/client.ts";

export type Run = Readonly<{ code: number | undefined; stdout: string; stderr: string }>;

export async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [serverPath, ...args], {
    reject: false,
    stdin: "ignore",
    timeout: 110_000,
    env,
  });
  return { code: exitCode, stdout, stderr };
}
