import { createQueue, type Exclusively } from "./exclusive.js";
import { problemOf, ProblemError, SignedOutError } from "./problems.js";
import type { TokenSource } from "./requests.js";
import type { Service } from "./service.js";
import type { StoredTokens, TokenStorage } from "./storage.js";
import type { Problem, Proof, Proved, TokenPair } from "./types.js";

/** Why the user is no longer signed in. */
export interface SignedOut {
  /** `session_ended`: the service says so; `elsewhere`: another tab has signed out. */
  reason: "signed_out" | "session_ended" | "elsewhere";
  problem?: Problem;
}

/** How long one attempt of a refresh may take, in milliseconds. */
const ATTEMPT = 5_000;

/** The first wait between two attempts in milliseconds; each is twice as long as the one before. */
const FIRST_PAUSE = 250;

/**
 * The tokens of one user: they are refreshed once, however many requests, and tabs, find that they have expired.
 *
 * A tab may see what another tab stored a moment late, even under the Web Lock, because browsers copy `localStorage`
 * between their processes. It then sends the same refresh token again, and the service returns the same new pair.
 */
export class Session implements TokenSource {
  readonly #listeners = new Set<(event: SignedOut) => void>();
  readonly #exclusively: Exclusively;
  #renewal: Promise<StoredTokens> | null = null;

  /**
   * @param retryWindow - how long a refresh whose response was lost is retried with the same token, in milliseconds.
   */
  constructor(
    private readonly service: Service,
    private readonly storage: TokenStorage,
    private readonly retryWindow: number,
  ) {
    this.#exclusively = createQueue(storage.lockName);
    storage.onRemoved?.(() => this.#notify({ reason: "elsewhere" }));
  }

  async isSignedIn(): Promise<boolean> {
    return (await this.storage.read()) !== null;
  }

  /** An access token that has not expired. Raises SignedOutError, or what the refresh failed with. */
  async accessToken(): Promise<string> {
    const tokens = await this.storage.read();
    if (tokens === null) throw new SignedOutError();
    if (Date.now() >= tokens.expiresAt) return (await this.#renew(tokens.accessToken)).accessToken;
    // The present token is still valid, so no request has to wait for the next one.
    if (Date.now() >= tokens.renewAt) this.#renew(tokens.accessToken).catch(() => undefined);
    return tokens.accessToken;
  }

  tokenFor(): Promise<string> {
    return this.accessToken();
  }

  /** Another access token than one that was rejected. Raises as `accessToken`. */
  async tokenInsteadOf(rejected: string): Promise<string> {
    return (await this.#renew(rejected)).accessToken;
  }

  /** Store the tokens of a sign-in that began at this time, in place of those of an earlier one. */
  async keep(pair: TokenPair, began: number): Promise<void> {
    await this.#exclusively(async () => this.storage.write(toStored(pair, began)));
  }

  /** Give a proof of identity, and replace the tokens with those that state it. */
  async prove(proof: Proof): Promise<Proved> {
    await this.accessToken(); // refreshes an expired one
    return this.#exclusively(async () => {
      const stored = await this.storage.read();
      if (stored === null) throw new SignedOutError();
      const began = Date.now();
      const headers = { Authorization: `Bearer ${stored.accessToken}` };
      const pair = await this.service.postForJson<Proved & TokenPair>("/userapi/auth/prove/", proof, headers);
      await this.storage.write(toStored(pair, began));
      return { acr: pair.acr, auth_time: pair.auth_time };
    });
  }

  /** End the session. The tokens are removed even if the service cannot be reached, which raises an error. */
  async end(everywhere: boolean): Promise<void> {
    const removed = await this.#exclusively(async () => {
      const stored = await this.storage.read();
      if (stored !== null) await this.storage.write(null);
      return stored;
    });
    if (removed === null) return;
    this.#notify({ reason: "signed_out" });
    // Not exclusively: while the service does not respond, the next user can sign in.
    const body = { refresh_token: removed.refreshToken, all: everywhere };
    const problem = await problemOf(await this.service.post("/userapi/auth/logout/", body));
    if (problem !== null && problem.status !== 401) throw problem;
  }

  /** Call a function when the user is no longer signed in. Returns a function that stops this. */
  onSignedOut(listener: (event: SignedOut) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #notify(event: SignedOut): void {
    for (const listener of this.#listeners) listener(event);
  }

  /** Refresh once for all who ask at the same time. */
  #renew(rejected: string): Promise<StoredTokens> {
    this.#renewal ??= this.#exclusively(() => this.#refresh(rejected)).finally(() => {
      this.#renewal = null;
    });
    return this.#renewal;
  }

  async #refresh(rejected: string): Promise<StoredTokens> {
    const stored = await this.storage.read();
    if (stored === null) throw new SignedOutError();
    if (stored.accessToken !== rejected) return stored; // another tab was faster
    const began = Date.now();
    try {
      const tokens = toStored(await this.#exchange(stored.refreshToken), began);
      await this.storage.write(tokens);
      return tokens;
    } catch (error) {
      if (!(error instanceof ProblemError) || !isFinal(error)) throw error;
      await this.storage.write(null);
      this.#notify({ reason: "session_ended", problem: error.problem });
      throw new SignedOutError(error.problem);
    }
  }

  /**
   * Exchange a refresh token. It is single-use, but the service returns the same new pair again for some seconds.
   * So a response that was lost is requested again with the same token, and only in that time.
   */
  async #exchange(refreshToken: string): Promise<TokenPair> {
    const end = Date.now() + this.retryWindow;
    for (let pause = FIRST_PAUSE; ; pause *= 2) {
      const failure = await this.#attempt(refreshToken);
      if (!(failure instanceof Error)) return failure;
      const wait = Math.max(pause, failure instanceof ProblemError ? (failure.retryAfter ?? 0) * 1000 : 0);
      if ((failure instanceof ProblemError && failure.status < 500) || Date.now() + wait >= end) throw failure;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  /** Send a refresh token once. Returns the error instead of raising it. */
  async #attempt(refresh_token: string): Promise<TokenPair | Error> {
    try {
      const response = await this.service.post("/api-token-refresh/", { refresh_token }, {}, AbortSignal.timeout(ATTEMPT));
      const problem = await problemOf(response);
      if (problem !== null) return problem;
      const pair = (await response.json()) as Partial<TokenPair>;
      return isPair(pair) ? pair : new TypeError("The response to the refresh has no tokens.");
    } catch (error) {
      return error as Error;
    }
  }
}

export function isPair(body: Partial<TokenPair>): body is TokenPair {
  return typeof body.access_token === "string" && typeof body.refresh_token === "string";
}

/** Whether the service has rejected the refresh token itself, so that no other attempt can succeed. */
function isFinal({ code }: ProblemError): boolean {
  return code.startsWith("token_") || code === "validation_failed";
}

/** Tokens with the times of the local clock; a refresh comes 30 seconds before they expire, or earlier if that is soon. */
function toStored(pair: TokenPair, began: number): StoredTokens {
  const early = Math.min(30, pair.expires_in / 5);
  return {
    accessToken: pair.access_token,
    refreshToken: pair.refresh_token,
    renewAt: began + (pair.expires_in - early) * 1000,
    expiresAt: began + pair.expires_in * 1000,
  };
}
