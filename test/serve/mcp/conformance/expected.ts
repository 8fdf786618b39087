/** What of the suites does not apply, by scenario or by one check of it, and why. */

export type NotApplicable = Readonly<Record<string, string>>;

const noTasks = "tasks are an extension that the suites do not score, and no server here has it";

/** Of the suites' own fixtures. */
export const fixtures: NotApplicable = {
  "tasks-capability-negotiation": noTasks,
  "tasks-dispatch-and-envelope": noTasks,
  "tasks-lifecycle": noTasks,
  "tasks-mrtr-composition": noTasks,
  "tasks-mrtr-input": noTasks,
  "tasks-request-headers": noTasks,
  "tasks-request-state-removal": noTasks,
  "tasks-required-task-error": noTasks,
  "tasks-wire-fields": noTasks,
};

const tool = "calls a tool of the suites' own";
const asks = "calls a tool of the suites' own that asks its user";
const resource = "reads a resource of the suites' own";
const noPrompts = "there are no prompts";

/** Of Bootwright as it is served: whatever calls fixtures, some of which a refusal passes too. The run with fixtures covers
 * these. */
export const bootwright: NotApplicable = {
  ...fixtures,
  "caching/sep-2549-prompts-list-caching-hints": noPrompts,
  "completion-complete": "completes an argument of a prompt, and there are none; URIs of resources are completed",
  "elicitation-sep1034-defaults": asks,
  "elicitation-sep1330-enums": asks,
  "http-custom-header-server-validation": "no argument of a tool stands in a header",
  "input-required-result-basic-elicitation": asks,
  "input-required-result-basic-list-roots": asks,
  "input-required-result-basic-sampling": asks,
  "input-required-result-capability-check": asks,
  "input-required-result-missing-input-response": asks,
  "input-required-result-multi-round": asks,
  "input-required-result-multiple-input-requests": asks,
  "input-required-result-non-tool-request": noPrompts,
  "input-required-result-request-state": asks,
  "input-required-result-result-type": asks,
  "input-required-result-tampered-state": asks,
  "input-required-result-validate-input": asks,
  "json-schema-2020-12": tool,
  "logging-set-level": "the protocol's own log is deprecated and not offered",
  "prompts-get-embedded-resource": noPrompts,
  "prompts-get-simple": noPrompts,
  "prompts-get-with-args": noPrompts,
  "prompts-get-with-image": noPrompts,
  "prompts-list": noPrompts,
  "resources-read-binary": resource,
  "resources-read-text": resource,
  "resources-subscribe": "subscribes to a resource of the suites' own, which is refused",
  "resources-templates-read": resource,
  "resources-unsubscribe": "subscribes to a resource of the suites' own, which is refused",
  "server-sse-polling": tool,
  "server-stateless/sep-2575-missing-capability-http-400": tool,
  "server-stateless/sep-2575-server-rejects-undeclared-capability": tool,
  "tools-call-audio": tool,
  "tools-call-elicitation": asks,
  "tools-call-embedded-resource": tool,
  "tools-call-error": tool,
  "tools-call-image": tool,
  "tools-call-mixed-content": tool,
  "tools-call-sampling": asks,
  "tools-call-simple-text": tool,
  "tools-call-with-logging": tool,
  "tools-call-with-progress": tool,
};
