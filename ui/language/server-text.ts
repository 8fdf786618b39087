/** The page's translation of the server's English texts. The panel in a chat has none. */

type Coded = Readonly<{ code: string; message: string }>;
/** `findings` are those that a refusal is about. */
export type Translate = (text: string, code?: string, findings?: readonly Coded[]) => string | undefined;

export const serverText: { translate: Translate } = { translate: () => undefined };
