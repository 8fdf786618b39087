/** How a browser gets in: with a link that is good once, or with a token that somebody types. It then has a cookie that
 * scripts cannot read; what it stands for is kept in this process alone and ends with it. */
import { kept } from "./kept.ts";
import type { Caller, FindCaller } from "./token.ts";

const TICKET_MS = 10 * 60_000;
const SESSION_MS = 12 * 3_600_000;
export const SESSION_SECONDS = SESSION_MS / 1000;

export type Logins = ReturnType<typeof loginsFor>;

/** `token` is the one that a link logs in with. */
export function loginsFor(token: string, find: FindCaller, now: () => number = () => Date.now()) {
  const tickets = kept<true>(now);
  const sessions = kept<string>(now);
  return {
    ticket: () => tickets.put(true, TICKET_MS),
    /** A session for who shows a ticket, which is then used up, or a token; undefined for anything else. */
    open(shown: Readonly<{ ticket?: string; token?: string }>): string | undefined {
      if (shown.ticket !== undefined && tickets.get(shown.ticket) && tickets.drop(shown.ticket))
        return sessions.put(token, SESSION_MS);
      return shown.token !== undefined && find(shown.token) ? sessions.put(shown.token, SESSION_MS) : undefined;
    },
    /** A session ends with its token. */
    caller(session: string): Caller | undefined {
      const used = sessions.get(session);
      const caller = used === undefined ? undefined : find(used);
      return caller && { ...caller, person: true };
    },
    close: (session: string) => void sessions.drop(session),
  };
}

/** The only page that needs no token. The ticket stands behind the #, which a browser sends nowhere. */
export const loginPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in to Bootwright</title>
<link rel="stylesheet" href="/login.css">
<main>
<h1>Bootwright</h1>
<form>
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required>
<p>It stands in <code>http.token</code> in the data directory. <code>bootwright serve</code> prints a link that needs none.</p>
<button>Log in</button>
<p role="alert"></p>
</form>
</main>
<script src="/login.js"></script>
</html>
`;

export const loginScript = `const form = document.querySelector("form");
const told = document.querySelector("[role=alert]");
async function logIn(shown) {
  const response = await fetch("/login", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(shown),
  });
  if (response.ok) location.replace("/");
  else told.textContent = (await response.json()).detail;
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
// A link that is opened where this page is shown already loads nothing anew.
addEventListener("hashchange", followLink);
followLink();
`;

export const loginStyle = `:root {
  color-scheme: light dark;
  font: 15px/1.5 system-ui, sans-serif;
  color: light-dark(#1a2321, #e6ebe9);
  background: light-dark(#f5f6f5, #131716);
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
