/** Consoles in the OpenAPI document, which no tool describes. */
import type { OpenApi, Operation } from "./openapi-document.ts";

const refused = {
  "4XX": { $ref: "#/components/responses/Refused" },
  "5XX": { $ref: "#/components/responses/Refused" },
};
const inPath = (name: string, description: string) => ({
  name,
  in: "path",
  required: true,
  description,
  schema: { type: "string", minLength: 1, maxLength: 300 },
});
const common = { tags: ["console"], security: [{ bearer: ["vm:write"] }, { session: [] }] };

const ticket: Operation = {
  ...common,
  operationId: "open_console",
  summary: "Open console",
  description:
    "Get a ticket for the screen and keyboard of a running VM: the path of a WebSocket, valid once, for the same caller.",
  parameters: [inPath("vm", "VM")],
  requestBody: {
    required: false,
    content: { "application/json": { schema: { type: "object", additionalProperties: false } } },
  },
  responses: {
    200: {
      description: "The ticket",
      content: {
        "application/json": {
          schema: {
            type: "object",
            properties: {
              vm: { type: "string" },
              path: { type: "string" },
              subprotocol: { type: "string" },
              expires_in_seconds: { type: "number" },
            },
            required: ["vm", "path", "subprotocol", "expires_in_seconds"],
            additionalProperties: false,
          },
        },
      },
    },
    ...refused,
  },
};

const socket: Operation = {
  ...common,
  operationId: "console",
  summary: "Use console",
  description: "A WebSocket of binary messages that carries VNC (RFB 3.8) without a password, until the VM stops.",
  parameters: [inPath("ticket", "The ticket")],
  responses: { 101: { description: "The console" }, ...refused },
};

export const consolePaths: OpenApi["paths"] = {
  "/vms/{vm}/console": { post: ticket },
  "/console/{ticket}": { get: socket },
};
