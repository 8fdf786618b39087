/** Further tokens of a server. It looks for new ones twice a second, so they are made before it starts. */
import { addToken } from "../../src/serve/http/token.ts";

export const tokenFor = (data: string, name: string, ...scopes: readonly string[]): string =>
  addToken(data, name, scopes, new Date());
