/** Every refusal with its words, made from the catalogue itself: what a refusal is about stands in braces. */
import { DomainError, errorCodes } from "../../src/domain/error.ts";
import { HttpError, httpCodes } from "../../src/serve/http/http-error.ts";
import { nextTool } from "../../src/tools/respond.ts";
import { code, table } from "./markdown.ts";

/** Read as a text, a list or a number, it stands for a detail of that name. */
function placeholder(name: string): unknown {
  const text = `{${name}}`;
  const shown = name === "findings" ? { code: "{finding}", message: "{message}", overridable: true } : text;
  const list: unknown[] = [shown];
  return new Proxy(list, {
    get(target, key) {
      if (key === Symbol.toPrimitive) return (hint: string) => (hint === "number" ? Number.NaN : text);
      if (key in target) return Reflect.get(target, key);
      return key === "replaceAll" ? text.replaceAll.bind(text) : undefined;
    },
  });
}

/** Refusals say something else where these are given, and they seldom are. */
const seldom = ["VM_NOT_FOUND unreachable", "VM_BUSY waitingMax", "PLUGIN_CONFIG_INVALID connection"];
const detailsFor = (refusal: string) =>
  new Proxy(
    {},
    {
      get: (_target, detail) =>
        seldom.includes(`${refusal} ${String(detail)}`) ? undefined : placeholder(String(detail)),
    },
  ) as never;
const words = ({ message, hint }: Readonly<{ message: string; hint: string }>) =>
  [message, hint].map((text) => text.replaceAll("NaN", "…"));

export const refusalsTable = (): string =>
  table(
    ["code", "message", "what helps", "next call"],
    errorCodes.map((name) => [
      code(name),
      ...words(new DomainError(name, detailsFor(name))),
      nextTool[name] === null ? "–" : code(nextTool[name]),
    ]),
  );

export const httpRefusalsTable = (): string =>
  table(
    ["code", "message", "what helps"],
    httpCodes.map((name) => [code(name), ...words(new HttpError(name, detailsFor(name)))]),
  );
