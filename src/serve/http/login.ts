/** Logs browsers in, by a link that is valid once or by a typed token. The session cookie is hidden from scripts. Sessions
 * live in this process and end with it. */
import { createExpiringSecrets } from "./expiring-secrets.ts";
import type { Caller, FindCaller } from "./token.ts";

const TICKET_MS = 10 * 60_000;
const SESSION_MS = 12 * 3_600_000;
export const SESSION_SECONDS = SESSION_MS / 1000;

export type Logins = ReturnType<typeof loginsFor>;

/** `token` is the token that a link logs in with. */
export function loginsFor(token: string, find: FindCaller, now: () => number = () => Date.now()) {
  const tickets = createExpiringSecrets<true>(now);
  const sessions = createExpiringSecrets<string>(now);
  return {
    ticket: () => tickets.put(true, TICKET_MS),
    /** Opens a session for a ticket, which is used up, or for a token. Undefined if neither is valid. */
    open(shown: Readonly<{ ticket?: string; token?: string }>): string | undefined {
      if (shown.ticket !== undefined && tickets.get(shown.ticket) && tickets.drop(shown.ticket))
        return sessions.put(token, SESSION_MS);
      return shown.token !== undefined && find(shown.token) ? sessions.put(shown.token, SESSION_MS) : undefined;
    },
    /** The caller of a session. Undefined if the session has expired or its token was removed. */
    caller(session: string): Caller | undefined {
      const used = sessions.get(session);
      const caller = used === undefined ? undefined : find(used);
      return caller && { ...caller, person: true };
    },
    close: (session: string) => void sessions.drop(session),
  };
}

type Words = Readonly<{
  title: string;
  token: string;
  where: string;
  logIn: string;
  /** Translations by code in lower case. Other codes are shown in the server's words. */
  refused: Readonly<Record<string, string>>;
}>;

export const loginWords: Readonly<Record<"en" | "ko", Words>> = {
  en: {
    title: "Log in to Bootwright",
    token: "Token",
    where:
      "The token is in <code>http.token</code> in the data directory. The link that <code>bootwright serve</code> prints needs no token.",
    logIn: "Log in",
    refused: {},
  },
  ko: {
    title: "Bootwright 로그인",
    token: "토큰",
    where:
      "데이터 디렉터리의 <code>http.token</code>에 있습니다. <code>bootwright serve</code>가 알려 주는 링크로 열면 필요 없습니다.",
    logIn: "로그인",
    refused: {
      ticket_invalid: "로그인할 수 없습니다. 링크가 이미 쓰였거나 기한이 지났습니다. 또는 이 서버의 토큰이 아닙니다.",
      rate_exceeded: "시도가 너무 많습니다. 잠시 뒤에 다시 하세요.",
    },
  },
};

/** The language with the highest weight in an Accept-Language header. */
function languageFor(accepted: string): keyof typeof loginWords {
  let [best, weight]: [keyof typeof loginWords, number] = ["en", 0];
  for (const range of accepted.split(",")) {
    const [, tag = "", q = "1"] = /^\s*(\w+)(?:-[\w-]+)?\s*(?:;\s*q=([\d.]+)\s*)?$/.exec(range) ?? [];
    const language = tag.toLowerCase();
    if ((language === "en" || language === "ko") && Number(q) > weight) [best, weight] = [language, Number(q)];
  }
  return best;
}

/** The only page without authentication. The ticket is in the URL's fragment, which a browser never sends. */
export function loginPage(accepted: string): string {
  const language = languageFor(accepted);
  const { title, token, where, logIn, refused } = loginWords[language];
  const dataAttributes = Object.entries(refused).map(([code, words]) => ` data-${code}="${words}"`);
  return `<!doctype html>
<html lang="${language}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="stylesheet" href="/login.css">
<main>
<h1>Bootwright</h1>
<form${dataAttributes.join("")}>
<label for="token">${token}</label>
<input id="token" name="token" type="password" autocomplete="current-password" required>
<p>${where}</p>
<button>${logIn}</button>
<p role="alert"></p>
</form>
</main>
<script src="/login.js"></script>
</html>
`;
}

export const loginScript = `const form = document.querySelector("form");
const alertText = document.querySelector("[role=alert]");
async function logIn(shown) {
  const response = await fetch("/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(shown),
  });
  if (response.ok) location.replace("/");
  else {
    const { code, detail } = await response.json();
    alertText.textContent = form.dataset[code.toLowerCase()] ?? detail;
  }
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  logIn({ token: form.elements.token.value.trim() });
});
function followLink() {
  const ticket = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  if (ticket) logIn({ ticket });
}
// A link opened on this page changes the fragment without a reload.
addEventListener("hashchange", followLink);
followLink();
`;

export const loginStyle = `:root {
  color-scheme: light dark;
  font: 15px/1.5 system-ui, sans-serif;
  color: light-dark(#1a2321, #e6ebe9);
  background: light-dark(#f5f6f5, #131716);
  word-break: keep-all;
}
main {
  max-width: 25rem;
  margin: 14vh auto;
  padding: 1.5rem;
  border: 1px solid light-dark(#d8dedb, #333c39);
  border-radius: 10px;
  background: light-dark(#fff, #1b201f);
}
h1 { margin: 0 0 1rem; font-size: 1.4rem; }
label, input { display: block; width: 100%; box-sizing: border-box; }
label { font-weight: 600; }
input, button { font: inherit; min-height: 38px; padding: 0.4rem 0.75rem; margin-top: 0.25rem; border-radius: 7px; }
input { border: 1px solid light-dark(#7d8a85, #76847f); background: transparent; color: inherit; }
button { border: 0; background: light-dark(#1f655c, #7fd1c3); color: light-dark(#fff, #0c2420); font-weight: 600; }
:focus-visible { outline: 3px solid light-dark(#0b57d0, #a8c7fa); outline-offset: 2px; }
[role="alert"]:not(:empty) { color: light-dark(#a3262a, #ff9d97); }
@media (max-width: 30rem) { main { margin: 1rem; } }
`;
