// A certified OpenID provider for the tests: `node oidc_provider.mjs <configuration as JSON>`.
//
// It asks nothing: each visitor is signed in as the account that `POST /test/account?sub=…` named last, and consents.
// With `error` instead of `sub`, such as access_denied, it sends that error back.

import http from "node:http";
import Provider from "oidc-provider";

const { port, client, accounts, options } = JSON.parse(process.argv[2]);
let answer = { sub: Object.keys(accounts)[0] };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "given_name", "family_name"] },
  cookies: { keys: ["only for tests"] },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ sub, ...accounts[sub] }) }),
  ...options,
});

async function finishInteraction(request, response) {
  if (answer.error) {
    return provider.interactionFinished(request, response, { error: answer.error, error_description: "<b>no</b>" });
  }
  const { params } = await provider.interactionDetails(request, response);
  const grant = new provider.Grant({ accountId: answer.sub, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const result = { login: { accountId: answer.sub }, consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

const handle = provider.callback();
http
  .createServer((request, response) => {
    const url = new URL(request.url, provider.issuer);
    if (url.pathname === "/test/account" && request.method === "POST") {
      answer = Object.fromEntries(url.searchParams);
      response.writeHead(204).end();
    } else if (url.pathname.startsWith("/interaction/")) {
      finishInteraction(request, response).catch((error) => response.writeHead(500).end(String(error)));
    } else {
      handle(request, response);
    }
  })
  .listen(port, "127.0.0.1", () => console.log("ready"));
