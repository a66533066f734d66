import { ApiKey } from "./api-key.js";
import { type ProblemError, problemOf } from "./problems.js";
import { createSenders, type Sender } from "./requests.js";
import { type Fetch, Service } from "./service.js";
import { isPair, Session, type SignedOut } from "./session.js";
import { memoryStorage, type TokenStorage } from "./storage.js";
import type { Credentials, Profile, Proof, Proved, SecondStep, TokenPair, User } from "./types.js";

interface CommonOptions {
  /** The URL of the service, such as `https://accounts.example.com`. */
  baseUrl: string;
  /** Origins of other services that may get the access token too, such as `https://api.example.com`. */
  origins?: string[];
  /** Used in place of the global `fetch`. */
  fetch?: Fetch;
}

export interface ClientOptions extends CommonOptions {
  /** Where the tokens are; in memory if you do not say. */
  storage?: TokenStorage;
  /**
   * How many seconds a refresh whose response was lost is retried: 8 if you do not say, less than the
   * `REFRESH_REUSE_WINDOW` of the service. 0 turns retries off.
   */
  retryWindow?: number;
}

export interface KeyClientOptions extends CommonOptions {
  /** An API key. Only the service itself gets it; `origins` get an access token for it. */
  apiKey: string;
}

export type SignInResult<UserProfile = Profile> =
  | {
      outcome: "signed_in";
      user: User<UserProfile>;
      /** Send it as `device_token` with the next sign-in on this device: it needs no second step. */
      deviceToken?: string;
    }
  | {
      outcome: "second_step";
      /** Send it to `finishSignIn` with what the user enters. */
      mfaToken: string;
      /** What the user can enter: `passkey`, `totp`, `recovery_code`. */
      ways: string[];
      /** Seconds until `mfaToken` expires. */
      expiresIn: number;
    };

/** A client for programs that have an API key. */
export interface KeyClient extends Sender {
  /** An access token for the key, which other services verify. It has the scopes of the key. */
  accessToken(): Promise<string>;
}

/** A client for one user. */
export interface Client extends Sender {
  /** An access token that has not expired. Raises SignedOutError. */
  accessToken(): Promise<string>;
  /** Sign in with email and password. Raises ProblemError, such as `invalid_credentials`. */
  signIn<UserProfile = Profile>(credentials: Credentials): Promise<SignInResult<UserProfile>>;
  /** Finish a sign-in that needs a second step. After a ProblemError with `invalid_code`, call it again. */
  finishSignIn<UserProfile = Profile>(mfaToken: string, step: SecondStep): Promise<SignInResult<UserProfile>>;
  /** Keep the tokens of a sign-in in another way: with a code by email, a passkey, or another service. */
  adopt(tokens: TokenPair): Promise<void>;
  /** Prove the identity again, as a ProofNeededError requires. Then send the request again. */
  prove(proof: Proof): Promise<Proved>;
  /** End this session, or all sessions of the user. Raises an error if the service cannot be reached. */
  signOut(options?: { everywhere?: boolean }): Promise<void>;
  isSignedIn(): Promise<boolean>;
  /** Call a function when the user is no longer signed in. Returns a function that stops this. */
  onSignedOut(listener: (event: SignedOut) => void): () => void;
}

/** Create a client for one user, or for the owner of an API key. */
export function createClient(options: ClientOptions): Client;
export function createClient(options: KeyClientOptions): KeyClient;
export function createClient(options: ClientOptions | KeyClientOptions): Client | KeyClient {
  const service = new Service(options.baseUrl, options.fetch);
  if ("apiKey" in options) {
    const key = new ApiKey(service, options.apiKey);
    return { ...createSenders(service, key, options.origins), accessToken: () => key.accessToken() };
  }
  const session = new Session(service, options.storage ?? memoryStorage(), (options.retryWindow ?? 8) * 1000);

  async function signInAt<UserProfile>(path: string, body: unknown): Promise<SignInResult<UserProfile>> {
    const began = Date.now();
    const response = await service.post(path, body);
    const problem = await problemOf(response);
    if (problem?.code === "second_step_needed") return secondStep(problem);
    if (problem !== null) throw problem;
    const answer = (await response.json()) as Partial<TokenPair> & { user: User<UserProfile>; device_token?: string };
    if (!isPair(answer)) throw new TypeError("The response to the sign-in has no tokens.");
    await session.keep(answer, began);
    const { user, device_token: deviceToken } = answer;
    return { outcome: "signed_in", user, ...(deviceToken === undefined ? {} : { deviceToken }) };
  }

  return {
    ...createSenders(service, session, options.origins),
    accessToken: () => session.accessToken(),
    signIn: (credentials) => signInAt("/userapi/auth/login/", credentials),
    finishSignIn: (mfa_token, step) => signInAt("/userapi/auth/login/second-step/", { mfa_token, ...step }),
    adopt: (tokens) => session.keep(tokens, Date.now()),
    prove: (proof) => session.prove(proof),
    signOut: (signOut = {}) => session.end(signOut.everywhere ?? false),
    isSignedIn: () => session.isSignedIn(),
    onSignedOut: (listener) => session.onSignedOut(listener),
  };
}

function secondStep({ problem }: ProblemError): SignInResult<never> {
  const { mfa_token: mfaToken = "", ways = [], expires_in: expiresIn = 0 } = problem;
  return { outcome: "second_step", mfaToken, ways, expiresIn };
}
