/** The types of the OpenAPI 3.1 document. */
export type Json = Record<string, unknown>;

export type OpenApi = Readonly<{
  openapi: string;
  info: Json;
  paths: Record<string, Record<string, Operation>>;
  components: Record<string, Json> & { schemas: Record<string, Json> };
}> &
  Json;
export type Operation = Readonly<{
  operationId: string;
  summary: string;
  description: string;
  tags: string[];
  security: Record<string, string[]>[];
  parameters?: Json[];
  requestBody?: { required: boolean; content: { "application/json": { schema: Json; example?: unknown } } };
  responses: Record<string, Json>;
}>;
