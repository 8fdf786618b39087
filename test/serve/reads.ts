/** What the clients of both generations do with resources, each by its own means: one subscribes to each, the other opens a
 * stream for all of them. */
import type { Client } from "@modelcontextprotocol/client";
import type { Client as FirstClient } from "@modelcontextprotocol/sdk/client/index.js";
import {
  ResourceListChangedNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";

export type Resource = Readonly<{ uri: string; name: string }>;

/** What was heard so far, and when the last of each was, on the clock of `performance`. */
export type Heard = Readonly<{ updated: string[]; at: Map<string, number>; lists: () => number }>;

export type Reads = Readonly<{
  heard: Heard;
  /** Every page. */
  resources: () => Promise<Resource[]>;
  templates: () => Promise<string[]>;
  /** The JSON that it holds. */
  read: (uri: string) => Promise<unknown>;
  complete: (template: string, variable: string, typed: string) => Promise<string[]>;
  /** Wants to hear of these, and of changes of the list. Returns what ends it. */
  hear: (...uris: string[]) => Promise<() => Promise<void>>;
}>;

type Listening = Readonly<{ heard: Heard; updated: (uri: string) => void; listChanged: () => void }>;
function listening(): Listening {
  const heard = { updated: [] as string[], at: new Map<string, number>(), count: 0, lists: () => heard.count };
  return {
    heard,
    updated(uri) {
      heard.updated.push(uri);
      heard.at.set(uri, performance.now());
    },
    listChanged: () => void heard.count++,
  };
}

type Answering = Readonly<{
  listResourceTemplates: () => Promise<{ resourceTemplates: { uriTemplate: string }[] }>;
  readResource: (params: { uri: string }) => Promise<{ contents: object[] }>;
  complete: (params: {
    ref: { type: "ref/resource"; uri: string };
    argument: { name: string; value: string };
  }) => Promise<{ completion: { values: string[] } }>;
  subscribeResource: (params: { uri: string }) => Promise<object>;
  unsubscribeResource: (params: { uri: string }) => Promise<object>;
}>;

const asking = (client: Answering) => ({
  templates: async () => (await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate),
  async read(uri: string) {
    const [content] = (await client.readResource({ uri })).contents as {
      uri: string;
      mimeType: string;
      text: string;
    }[];
    if (content?.uri !== uri || content.mimeType !== "application/json") throw new Error(JSON.stringify(content));
    return JSON.parse(content.text) as unknown;
  },
  async complete(uri: string, name: string, value: string) {
    const { completion } = await client.complete({ ref: { type: "ref/resource", uri }, argument: { name, value } });
    return completion.values;
  },
});

const oneByOne = (client: Answering) => ({
  async hear(...uris: string[]) {
    for (const uri of uris) await client.subscribeResource({ uri });
    return async () => {
      for (const uri of uris) await client.unsubscribeResource({ uri });
    };
  },
});

export function readsOfSecond(client: Client, streams: boolean): Reads {
  const { heard, updated, listChanged } = listening();
  client.setNotificationHandler("notifications/resources/updated", ({ params }) => updated(params.uri));
  client.setNotificationHandler("notifications/resources/list_changed", listChanged);
  return {
    heard,
    ...asking(client),
    resources: async () => (await client.listResources()).resources,
    ...(streams
      ? {
          async hear(...uris: string[]) {
            const stream = await client.listen({ resourceSubscriptions: uris, resourcesListChanged: true });
            return () => stream.close();
          },
        }
      : oneByOne(client)),
  };
}

export function readsOfFirst(client: FirstClient): Reads {
  const { heard, updated, listChanged } = listening();
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => updated(params.uri));
  client.setNotificationHandler(ResourceListChangedNotificationSchema, listChanged);
  return {
    heard,
    ...asking(client),
    async resources() {
      const found: Resource[] = [];
      for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
        const page = await client.listResources(cursor === undefined ? {} : { cursor });
        found.push(...(page.resources as Resource[]));
        cursor = page.nextCursor;
      }
      return found;
    },
    ...oneByOne(client),
  };
}
