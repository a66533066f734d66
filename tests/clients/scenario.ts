// What a front end does with a generated client: node scenario.js http://127.0.0.1:8000 email password

import createClient from "openapi-fetch";

import type { components, paths } from "./schema.js";

declare const process: { argv: [string, string, string, string, string] };

const [, , baseUrl, email, password] = process.argv;
const client = createClient<paths>({ baseUrl });

/** The body of a successful response; the code of an error response is thrown. */
function good<Body>(answer: { data?: Body; error?: components["schemas"]["Problem"] }): Body {
  if (answer.data === undefined) throw new Error(answer.error?.code);
  return answer.data;
}

const profile = {
  title: "Ms",
  dob: "1990-12-10",
  address: "12 Pulteney Street",
  country: "United Kingdom",
  city: "Bath",
  zip: "BA2 4",
};
const user = good(await client.POST("/userapi/users/", { body: { email, password, profile } }));

const signedIn = good(await client.POST("/api-token-auth/", { body: { email, password } }));
if (!("refresh_token" in signedIn)) throw new Error("These tokens belong to an API key.");

const refreshed = good(
  await client.POST("/api-token-refresh/", { body: { refresh_token: signedIn.refresh_token } }),
);
if (!("access_token" in refreshed)) throw new Error("The tokens went into cookies.");

const changed = good(
  await client.PATCH("/userapi/users/{user_id}/", {
    params: { path: { user_id: user.id } },
    body: { profile: { city: "Bristol" } },
    headers: { Authorization: `Bearer ${refreshed.access_token}` },
  }),
);

const { error } = await client.POST("/api-token-auth/", { body: { email, password: "wrong" } });

console.log(
  JSON.stringify({
    email: changed.email,
    city: changed.profile?.city,
    address: changed.profile?.address,
    rotated: refreshed.refresh_token !== signedIn.refresh_token,
    refused: error?.code,
  }),
);
