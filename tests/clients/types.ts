// The types of the TypeScript client are those of the OpenAPI document, in `schema.d.ts`, and reject what does not fit.

import {
  createClient,
  type Credentials,
  type OwnUser,
  type Problem,
  type Profile,
  type Proof,
  type Proved,
  type SecondStep,
  type TokenPair,
  type User,
} from "userapi-client";
import type { AccessClaims } from "userapi-client/verify";

import type { components } from "./schema.js";

type Schemas = components["schemas"];

/** Objects and their members, without readonly. */
type Plain<Type> = Type extends (infer Item)[]
  ? Plain<Item>[]
  : Type extends object
    ? { -readonly [Name in keyof Type]: Plain<Type[Name]> }
    : Type;
type Same<One, Other> =
  (<Type>() => Type extends Plain<One> ? 1 : 2) extends <Type>() => Type extends Plain<Other> ? 1 : 2 ? true : false;

/** A response has exactly these members; `code` of a problem stays open, for services that are newer. */
export const responses: [
  Same<TokenPair, Schemas["TokenPair"]>,
  Same<Profile, Schemas["Profile"]>,
  Same<User, Schemas["User"]>,
  Same<OwnUser, Schemas["OwnUser"]>,
  Same<Omit<Problem, "code">, Omit<Schemas["Problem"], "code">>,
  Same<Proved, Pick<Schemas["Proved"], keyof Proved>>,
] = [true, true, true, true, true, true];

/** A member of a request that the service does not know would be an error there. */
type Unknown<Request, Schema> = Request extends Partial<Schema> ? Exclude<keyof Request, keyof Schema> : "another type";
type InRequests =
  | Unknown<Credentials, Schemas["Login"]>
  | Unknown<Omit<SecondStep, "credential">, Omit<Schemas["SecondStep"], "credential">>
  | Unknown<Omit<Proof, "credential">, Omit<Schemas["Proof"], "credential">>;
export const requests: [InRequests] extends [never] ? true : false = true;

/** The claims that the service requires have the same types. */
export const claims = {} as AccessClaims satisfies Pick<Schemas["Claims"], "sub" | "sid" | "jti" | "iat" | "nbf" | "exp" | "type">;

const client = createClient({ baseUrl: "https://accounts.example.com" });
const result = await client.signIn({ email: "", password: "" });
// @ts-expect-error there is only a user once the user is signed in
result.user;
// @ts-expect-error a client with an API key signs no one in
createClient({ baseUrl: "https://accounts.example.com", apiKey: "" }).signIn;
