/** Errors of system calls, and the paths that system calls take. */

/** The errno name of a failed system call (`ENOENT`), or `undefined` for any other error. */
export const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

const missingCodes = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "ENXIO"]);
export const meansMissing = (error: unknown): boolean => missingCodes.has(errnoOf(error) ?? "");

/** A path that may be handed to the file system: absolute, well-formed, without NUL. U+FFFD is what a file name that is
 * not UTF-8 turns into; such a path cannot name its file. */
export const isUsablePath = (path: string): boolean =>
  path.startsWith("/") && path.length <= 4096 && !/[\0\uFFFD]/.test(path) && path.isWellFormed();
