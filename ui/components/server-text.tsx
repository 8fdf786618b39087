/** A text of the server in English, below the page's own translation where there is one. */
import { serverText, type Translate } from "../language/server-text.ts";

type Props = Readonly<{ text: string; code?: string; about?: Parameters<Translate>[2] }>;

export function ServerText({ text, code, about }: Props) {
  const translated = serverText.translate(text, code, about);
  return (
    <>
      {translated && <span class="translated">{translated}</span>}
      <span lang="en">{text}</span>
    </>
  );
}
