/** A small OAuth issuer, which publishes its keys and signs any claims. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import { onTestFinished } from "vitest";

export type Issuer = Readonly<{
  url: string;
  /** Signs an access token for `audience` that is good for five minutes, unless the claims say otherwise. */
  token: (claims: JWTPayload, header?: Readonly<{ kid: string }>) => Promise<string>;
  close: () => void;
}>;

export async function openIssuer(audience: string): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const key = { ...(await exportJWK(publicKey)), kid: "first", use: "sig", alg: "ES256" };
  const server = createServer(({ url: path }, answer) => {
    const documents: Record<string, object> = {
      "/.well-known/openid-configuration": { issuer: url, jwks_uri: `${url}/keys` },
      "/keys": { keys: [key] },
    };
    const found = documents[path ?? ""];
    answer.writeHead(found ? 200 : 404, { "content-type": "application/json" }).end(JSON.stringify(found ?? {}));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  onTestFinished(close);
  const now = () => Math.floor(Date.now() / 1000);
  return {
    url,
    token: (claims, { kid } = { kid: "first" }) =>
      new SignJWT({ iss: url, aud: audience, sub: "alice", exp: now() + 300, ...claims })
        .setProtectedHeader({ alg: "ES256", kid, typ: "at+jwt" })
        .sign(privateKey),
    close,
  };
}
