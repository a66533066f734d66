// Verify an access token in another service: node verify_token.mjs SITE AUDIENCE < token (needs nothing but Node 20).
import { createPublicKey, verify } from "node:crypto";
import { text } from "node:stream/consumers";

const [site, audience] = process.argv.slice(2);
const decoded = (part) => JSON.parse(Buffer.from(part, "base64url"));

async function claimsOf(token) {
  const [head, body, signature] = token.split(".");
  const { alg, kid } = decoded(head);
  const { keys } = await (await fetch(`${site}/.well-known/jwks.json`)).json(); // keep them for some minutes
  const jwk = keys.find((key) => key.kid === kid);
  if (alg !== "ES256" || !jwk) throw new Error("unknown key");
  const key = { key: createPublicKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" };
  if (!verify("sha256", `${head}.${body}`, key, Buffer.from(signature, "base64url"))) throw new Error("bad signature");
  const claims = decoded(body), now = Date.now() / 1000;
  const good = claims.iss === site && claims.aud === audience && claims.type === "access" && claims.exp > now;
  if (!good || claims.nbf > now + 60) throw new Error("not for us, or not now");
  return claims;
}

try {
  console.log("user", (await claimsOf((await text(process.stdin)).trim())).sub);
} catch (error) {
  console.error(`rejected: ${error.message}`);
  process.exitCode = 1;
}
