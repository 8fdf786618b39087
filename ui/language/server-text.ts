/** What the server says in English, in words of the page's own where there are some. The panel in a chat has none. */

type Coded = Readonly<{ code: string; message: string }>;
/** `findings` are those that a refusal is about. */
export type OwnWords = (text: string, code?: string, findings?: readonly Coded[]) => string | undefined;

export const said: { inOwnWords: OwnWords } = { inOwnWords: () => undefined };
