/** Error codes and valid paths of system calls. */

/** The errno name of a failed system call (`ENOENT`), or `undefined` for any other error. */
export const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;

const missingCodes = new Set(["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "ENXIO"]);
export const meansMissing = (error: unknown): boolean => missingCodes.has(errnoOf(error) ?? "");

/** Whether a path may be passed to the file system: absolute, well-formed, without NUL and U+FFFD. A file name that is
 * not UTF-8 becomes U+FFFD, so such a path cannot name its file. */
export const isUsablePath = (path: string): boolean =>
  path.startsWith("/") && path.length <= 4096 && !/[\0\uFFFD]/.test(path) && path.isWellFormed();
