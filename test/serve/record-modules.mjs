// Loaded before the program by --import: appends the URL of every module that is loaded to a file.
import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";

registerHooks({
  load(url, context, next) {
    appendFileSync(process.env.MODULES_FILE, `${url}\n`);
    return next(url, context);
  },
});
