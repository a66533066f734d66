import { problemOf, ProblemError } from "./problems.js";

export type Fetch = typeof globalThis.fetch;

/** The place of the service, and requests to it without credentials. */
export class Service {
  readonly #base: string;
  readonly #path: string;
  readonly origin: string;
  readonly #send: Fetch;

  constructor(baseUrl: string, send: Fetch = (...request) => globalThis.fetch(...request)) {
    this.#base = baseUrl.replace(/\/+$/, "");
    this.#path = new URL(`${this.#base}/`).pathname;
    this.origin = new URL(baseUrl).origin;
    this.#send = send;
  }

  /** The URL of a path such as `/userapi/auth/user/`; a whole URL stays as it is. */
  url(path: string): string {
    return path.startsWith("/") && !path.startsWith("//") ? this.#base + path : path;
  }

  has(url: string): boolean {
    return new URL(url).origin === this.origin && new URL(url).pathname.startsWith(this.#path);
  }

  /** Send a request. Cookies are left out unless the caller wants them, so that the token alone says who the user is. */
  send(request: Request): Promise<Response> {
    return this.#send(request);
  }

  /** POST a body as JSON. */
  async post(path: string, body: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
    return this.#send(this.url(path), {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json", ...headers },
      body: JSON.stringify(body),
      credentials: "omit",
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** POST a body as JSON and return that of the response. Raises ProblemError. */
  async postForJson<Body>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Body> {
    return jsonOf<Body>(await this.post(path, body, headers));
  }
}

/** The body of a successful response; undefined if it has none. Raises ProblemError for an error response. */
export async function jsonOf<Body>(response: Response): Promise<Body> {
  const problem: ProblemError | null = await problemOf(response);
  if (problem !== null) throw problem;
  return (response.status === 204 ? undefined : await response.json()) as Body;
}
