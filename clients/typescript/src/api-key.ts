import type { TokenSource } from "./requests.js";
import type { Service } from "./service.js";

/** What the service returns for an API key. */
interface KeyToken {
  access_token: string;
  expires_in: number;
}

/** An API key. The service gets the key itself; other services get an access token for it, which expires soon. */
export class ApiKey implements TokenSource {
  #exchange: Promise<KeyToken> | null = null;
  #renewAt = 0;

  constructor(
    private readonly service: Service,
    private readonly key: string,
  ) {}

  async tokenFor(url: string): Promise<string> {
    return this.service.has(url) ? this.key : this.accessToken();
  }

  async tokenInsteadOf(rejected: string, url: string): Promise<string | null> {
    if (this.service.has(url)) return null;
    const present = this.#exchange;
    if ((await present)?.access_token === rejected && this.#exchange === present) this.#exchange = null;
    return this.accessToken();
  }

  /** An access token for the key. Raises ProblemError if the key has ended. */
  async accessToken(): Promise<string> {
    if (this.#exchange === null || Date.now() >= this.#renewAt) {
      this.#renewAt = Infinity; // while this request is under way, the others wait for it
      this.#exchange = this.#request();
    }
    return (await this.#exchange).access_token;
  }

  async #request(): Promise<KeyToken> {
    const began = Date.now();
    try {
      const token = await this.service.postForJson<KeyToken>("/api-token-auth/", { api_key: this.key });
      this.#renewAt = began + (token.expires_in - Math.min(30, token.expires_in / 5)) * 1000;
      return token;
    } catch (error) {
      this.#exchange = null;
      throw error;
    }
  }
}
