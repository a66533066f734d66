import { errors, type JWTPayload, jwtVerify } from "jose";

import type { EndedSessions } from "./ended-sessions.js";
import { KeySet, KeysUnavailableError } from "./key-set.js";

export { createEndedSessions, ENDING_EVENTS, type EndedSessions, type SessionMemory } from "./ended-sessions.js";
export { KeysUnavailableError };

export interface VerifierOptions {
  /** The `JWT_ISSUER` of the service, or else its `SITE_URL`. */
  issuer: string;
  /** The `JWT_AUDIENCE` of the service: `userapi` if it does not say. */
  audience: string;
  /** Where the public keys are; `/.well-known/jwks.json` of the issuer if you do not say. */
  keysUrl?: string;
  /** How many seconds keys are used before they are read again: 300 if you do not say. */
  freshFor?: number;
  /** How many seconds they are used while the service does not respond: 86400 if you do not say. */
  staleFor?: number;
  /** Rejects tokens of sessions that have ended before the tokens expire. */
  endedSessions?: Pick<EndedSessions, "isEnded">;
}

/** The claims of an access token. `ACCESS_TOKEN_CLAIMS` adds others. */
export interface AccessClaims extends JWTPayload {
  /** The id of the user, as text. */
  sub: string;
  /** The id of the session. */
  sid: string;
  jti: string;
  iat: number;
  nbf: number;
  exp: number;
  type: "access";
  /** How strongly and when the identity was proved; a token for an API key has neither. */
  acr?: "aal1" | "aal2";
  amr?: string[];
  auth_time?: number;
  /** Of a token for an API key: its id, and its scopes with spaces between them. */
  client_id?: string;
  scope?: string;
  /** The member of staff of the service who acts as the user (RFC 8693); such tokens are for its own cookies only. */
  act?: { sub: string };
}

/** The token is not an access token for this audience, has expired, or its session has ended: answer with 401. */
export class InvalidTokenError extends Error {
  override readonly name = "InvalidTokenError";
}

/** Raises InvalidTokenError or KeysUnavailableError. */
export type VerifyAccessToken = (token: string) => Promise<AccessClaims>;

/** How far clocks may differ, in seconds. A token that has expired is rejected all the same. */
const CLOCK_TOLERANCE = 60;

/** The least time between two requests for the keys, in milliseconds. */
const PAUSE = 30_000;

const REQUIRED = ["exp", "iat", "jti", "nbf", "sid", "sub"];

/** Create the function that verifies the access tokens of a service. Create it once: it keeps the keys. */
export function createVerifier(options: VerifierOptions): VerifyAccessToken {
  const { issuer, audience, freshFor = 300, staleFor = 86_400 } = options;
  const url = options.keysUrl ?? `${issuer.replace(/\/+$/, "")}/.well-known/jwks.json`;
  const keys = new KeySet(url, { freshFor: freshFor * 1000, staleFor: staleFor * 1000, pause: PAUSE });
  const checks = { issuer, audience, algorithms: ["ES256"], clockTolerance: CLOCK_TOLERANCE, requiredClaims: REQUIRED };

  return async function verifyAccessToken(token) {
    const { payload } = await jwtVerify<AccessClaims>(token, keys.get, checks).catch((error: unknown) => {
      if (error instanceof errors.JOSEError) throw new InvalidTokenError(error.message, { cause: error });
      throw error;
    });
    if (payload.type !== "access" || typeof payload.sid !== "string") throw new InvalidTokenError("This is not an access token.");
    if (payload.exp * 1000 <= Date.now()) throw new InvalidTokenError("The token has expired.");
    if (await options.endedSessions?.isEnded(payload)) throw new InvalidTokenError("The session has ended.");
    return payload;
  };
}

/** Whether a token may be used for something: it has the scope, or is a user's own token, which has no scopes. */
export function hasScope(claims: AccessClaims, scope: string): boolean {
  return claims.scope === undefined || claims.scope.split(" ").includes(scope);
}
