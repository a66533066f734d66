import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from "jose";

/** The keys of the service cannot be read, so no token can be verified: answer with 503, not with 401. */
export class KeysUnavailableError extends Error {
  override readonly name = "KeysUnavailableError";
}

/** How long a request waits for new keys while it could use those from before, in milliseconds. */
const MAX_WAIT = 1_000;

/** How long the service has to respond, in milliseconds. */
const TIMEOUT = 5_000;

/** How long after a failure the keys are read again if there are none, in milliseconds. */
const PAUSE_WITHOUT_KEYS = 5_000;

/** Times in milliseconds. */
export interface KeySetOptions {
  freshFor: number;
  staleFor: number;
  pause: number;
}

/**
 * The public keys of a service. They are read again when they are no longer fresh, and for a key id that is unknown,
 * but never more often than `pause` says. While the service does not respond, the keys from before are used. Their age
 * is measured with a clock that no one sets: a system clock that was wrong when they were read changes nothing.
 */
export class KeySet {
  #find: JWTVerifyGetKey | null = null;
  #readAt = -Infinity;
  #triedAt = -Infinity;
  #reading: Promise<void> | null = null;
  #firstSecond: Promise<void> | null = null;

  constructor(
    private readonly url: string,
    private readonly options: KeySetOptions,
  ) {}

  /** The key for the header of a token, for `jwtVerify`. Raises KeysUnavailableError. */
  readonly get: JWTVerifyGetKey = async (header, token) => {
    if (typeof header?.kid !== "string") throw new errors.JWKSNoMatchingKey();
    if (!this.#isYoungerThan(this.options.freshFor)) await this.#readButNotForLong();
    const find = this.#keys();
    try {
      return await find(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !this.#mayRead()) throw error;
      await this.#read();
      return this.#keys()(header, token);
    }
  };

  /** The keys that were read last. Raises KeysUnavailableError if that is too long ago. */
  #keys(): JWTVerifyGetKey {
    if (this.#find === null || !this.#isYoungerThan(this.options.staleFor)) {
      throw new KeysUnavailableError(`The keys at ${this.url} cannot be read.`);
    }
    return this.#find;
  }

  #isYoungerThan(age: number): boolean {
    return performance.now() < this.#readAt + age;
  }

  /** Whether the keys are being read, or may be read again. */
  #mayRead(): boolean {
    const pause = this.#find === null ? Math.min(PAUSE_WITHOUT_KEYS, this.options.pause) : this.options.pause;
    return this.#reading !== null || performance.now() >= this.#triedAt + pause;
  }

  /** Read the keys. No token whose key is known waits longer than the first second for that. */
  async #readButNotForLong(): Promise<void> {
    if (!this.#mayRead()) return;
    const reading = this.#read();
    await (this.#isYoungerThan(this.options.staleFor) ? this.#firstSecond : reading);
  }

  /** Read the keys once for all who wait. A failure leaves the keys as they are. */
  #read(): Promise<void> {
    if (this.#reading !== null) return this.#reading;
    this.#triedAt = performance.now();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const reading = this.#request()
      .catch(() => undefined)
      .finally(() => {
        clearTimeout(timer);
        this.#reading = null;
      });
    this.#firstSecond = Promise.race([reading, new Promise<void>((resolve) => (timer = setTimeout(resolve, MAX_WAIT)))]);
    return (this.#reading = reading);
  }

  async #request(): Promise<void> {
    const began = performance.now();
    const signal = AbortSignal.timeout(TIMEOUT);
    const response = await fetch(this.url, { headers: { Accept: "application/json" }, redirect: "error", signal });
    if (response.status !== 200) throw new Error(`HTTP status ${response.status}`);
    this.#find = createLocalJWKSet((await response.json()) as JSONWebKeySet);
    this.#readAt = began;
  }
}
