/** What the server says, after the page's own words for it where there are some. */
import { type OwnWords, said } from "../language/server-text.ts";

type Props = Readonly<{ text: string; code?: string; about?: Parameters<OwnWords>[2] }>;

export function Said({ text, code, about }: Props) {
  const own = said.inOwnWords(text, code, about);
  return (
    <>
      {own && <span class="own">{own}</span>}
      <span lang="en">{text}</span>
    </>
  );
}
