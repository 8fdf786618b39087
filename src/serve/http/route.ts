/** The routes of the REST interface: one for each tool, and the older forms vm_action and vm_media. */
import { z } from "zod";
import { DomainError } from "../../domain/error.ts";
import type { Effect } from "../../domain/scope.ts";
import type { Tool } from "../../tools/tool.ts";

export type Route = Readonly<{
  id: string;
  method: "GET" | "POST" | "DELETE";
  /** Below /api, with its parameters in braces. */
  path: string;
  title: string;
  description: string;
  effect: Effect;
  input: z.ZodObject;
  output: z.ZodObject;
  /** It concerns one VM, so `If-Match` applies. */
  conditional: boolean;
  /** Its answer is not stored. */
  secret: boolean;
  /** It is one operation, so the client can follow that instead of waiting. */
  followable: boolean;
  /** The status if it made something. */
  made?: 201;
  /** The tool to call, with its arguments. */
  call: (args: Record<string, unknown>) => Readonly<{ tool: string; args: Record<string, unknown> }>;
}>;

export const parametersOf = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name!);

/** The routes in the order of the tools, the older forms last. */
export function routesOf(tools: readonly Tool[]): Route[] {
  const routes = tools.map(
    (tool): Route => ({
      id: tool.name,
      method: tool.http.method,
      path: tool.http.path,
      title: tool.title,
      description: tool.description,
      effect: tool.effect,
      input: tool.input,
      output: tool.output,
      conditional: "vm" in tool.input.shape || tool.name === "undo_operation",
      secret: tool.secret === true,
      followable: !tool.several,
      ...(tool.name === "create_vm" && { made: 201 }),
      call: (args) => ({ tool: tool.name, args }),
    }),
  );
  const named = new Map(tools.map((tool) => [tool.name, tool]));
  return [...routes, ...olderForms(named)];
}

const actions = { start: "start_vm", stop: "stop_vm", restart: "restart_vm" } as const;
const doings = { attach: "attach_iso", detach: "detach_iso" } as const;

function olderForms(named: ReadonlyMap<string, Tool>): Route[] {
  return [
    ...chosenBy(named, {
      id: "vm_action",
      path: "/vms/{vm}/action",
      title: "Start, stop or restart VM",
      description: "Start, stop or restart a VM, by action. Takes the arguments of start_vm, stop_vm or restart_vm.",
      by: "action",
      tools: actions,
    }),
    ...chosenBy(named, {
      id: "vm_media",
      path: "/vms/{vm}/media",
      title: "Attach or detach ISO",
      description: "Attach an ISO, or detach it with action detach. Takes the arguments of attach_iso or detach_iso.",
      by: "action",
      tools: doings,
      usual: "attach",
    }),
  ];
}

/** One route for several tools, chosen by an argument. */
function chosenBy(
  named: ReadonlyMap<string, Tool>,
  form: Readonly<{
    id: string;
    path: string;
    title: string;
    description: string;
    by: string;
    tools: Readonly<Record<string, string>>;
    usual?: string;
  }>,
): Route[] {
  const tools = Object.values(form.tools).map((name) => named.get(name));
  const [first] = tools;
  if (!first || tools.includes(undefined)) return [];
  const choice = z.enum(Object.keys(form.tools) as [string, ...string[]]);
  // The chosen tool validates the arguments.
  const offered = z.object(Object.assign({}, ...tools.map((tool) => tool!.input.shape))).partial();
  const chooser = form.usual === undefined ? choice : choice.default(form.usual);
  return [
    {
      ...form,
      method: "POST",
      effect: first.effect,
      conditional: true,
      secret: false,
      followable: true,
      input: offered.extend({ vm: first.input.shape.vm as z.ZodType, [form.by]: chooser }),
      output: first.output,
      call({ [form.by]: chosen = form.usual, ...args }) {
        const tool = Object.hasOwn(form.tools, String(chosen)) ? form.tools[String(chosen)] : undefined;
        if (tool !== undefined) return { tool, args };
        const expected = `${form.by}: expected one of ${Object.keys(form.tools).join(", ")}`;
        throw new DomainError("INPUT_INVALID", { issues: [expected] });
      },
    },
  ];
}
