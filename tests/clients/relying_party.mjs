// Certified OpenID clients against our provider: `node relying_party.mjs <library> <configuration as JSON>`.
//
// It prints the URL that the browser opens, reads the URL that the browser comes back to, and prints what it got.

import readline from "node:readline/promises";

const [library, configuration] = process.argv.slice(2);
const settings = JSON.parse(configuration);
const lines = readline.createInterface({ input: process.stdin });

function print(value) {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

async function nextLine() {
  for await (const line of lines) return line;
  throw new Error("no more input");
}

async function useOpenidClient() {
  const client = await import("openid-client");
  const { issuer, client_id, client_secret, redirect_uri, id_token_alg, par, resource } = settings;
  const metadata = { client_secret, id_token_signed_response_alg: id_token_alg };
  const config = await client.discovery(
    new URL(issuer), client_id, metadata, client_secret ? client.ClientSecretBasic(client_secret) : client.None(),
    { execute: [client.allowInsecureRequests] },
  );
  const verifier = client.randomPKCECodeVerifier();
  const checks = { pkceCodeVerifier: verifier, expectedState: client.randomState(), expectedNonce: client.randomNonce() };
  const parameters = {
    redirect_uri, scope: settings.scope, state: checks.expectedState, nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
    ...(resource ? { resource } : {}),
  };
  const url = par
    ? await client.buildAuthorizationUrlWithPAR(config, parameters)
    : client.buildAuthorizationUrl(config, parameters);
  print({ url: url.href });
  const tokens = await client.authorizationCodeGrant(config, new URL(await nextLine()), checks);
  const claims = tokens.claims();
  const userinfo = await client.fetchUserInfo(config, tokens.access_token, claims.sub);
  const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token);
  const introspected = client_secret ? await client.tokenIntrospection(config, refreshed.access_token) : null;
  await client.tokenRevocation(config, refreshed.refresh_token);
  const after = client_secret ? await client.tokenIntrospection(config, refreshed.access_token) : null;
  const end = client.buildEndSessionUrl(config, { id_token_hint: tokens.id_token }).href;
  print({ claims, userinfo, introspected, after, end });
}

async function useOauth4webapi() {
  const oauth = await import("oauth4webapi");
  const { client_id, client_secret, redirect_uri, id_token_alg } = settings;
  const options = { [oauth.allowInsecureRequests]: true };
  const issuer = new URL(settings.issuer);
  const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options));
  const client = { client_id, id_token_signed_response_alg: id_token_alg };
  const authentication = client_secret ? oauth.ClientSecretBasic(client_secret) : oauth.None();
  const verifier = oauth.generateRandomCodeVerifier();
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  const url = new URL(server.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id, redirect_uri, response_type: "code", scope: settings.scope, state, nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256",
  });
  print({ url: url.href });
  const parameters = oauth.validateAuthResponse(server, client, new URL(await nextLine()), state);
  const response = await oauth.authorizationCodeGrantRequest(
    server, client, authentication, parameters, redirect_uri, verifier, options,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, { expectedNonce: nonce });
  const claims = oauth.getValidatedIdTokenClaims(tokens);
  await oauth.validateApplicationLevelSignature(server, response, options);
  const answer = await oauth.userInfoRequest(server, client, tokens.access_token, options);
  const userinfo = await oauth.processUserInfoResponse(server, client, claims.sub, answer);
  print({ claims, userinfo });
}

await { "openid-client": useOpenidClient, oauth4webapi: useOauth4webapi }[library]();
lines.close();
