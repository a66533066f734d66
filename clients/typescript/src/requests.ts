import { problemOf } from "./problems.js";
import { jsonOf, type Service } from "./service.js";

/** A request as for `fetch`, and one more option. */
export interface RequestOptions extends RequestInit {
  /** Send no token: for operations that anyone may call, such as a registration. */
  anonymous?: boolean;
}

export interface JsonOptions extends RequestOptions {
  /** The body, to be sent as JSON. Without `method`, the request is then a POST. */
  json?: unknown;
}

export interface Sender {
  /** As the global `fetch`, with the token; a path such as `/userapi/auth/user/` is one of the service. */
  fetch(input: string | URL | Request, options?: RequestOptions): Promise<Response>;
  /** Send a request and return the body of the response. Raises ProblemError for an error response. */
  json<Body>(input: string | URL, options?: JsonOptions): Promise<Body>;
}

/** Where the token of a request comes from. */
export interface TokenSource {
  tokenFor(url: string): Promise<string>;
  /** Another token than one that was rejected; null if there can be none. */
  tokenInsteadOf(rejected: string, url: string): Promise<string | null>;
}

/** The codes of responses that reject the token. Others are about a password or code in the request. */
const TOKEN_REJECTED = new Set(["token_expired", "token_invalid", "token_revoked", "not_authenticated", "unknown"]);

/** The functions that send requests with a token. Only the service and these origins get one. */
export function createSenders(service: Service, source: TokenSource, origins: readonly string[] = []): Sender {
  const trusted = new Set([service.origin, ...origins.map((origin) => new URL(origin).origin)]);

  async function send(input: string | URL | Request, options: RequestOptions = {}): Promise<Response> {
    const { anonymous = false, ...init } = options;
    const target = input instanceof Request ? input : service.url(String(input));
    const request = new Request(target, { credentials: "omit", ...init });
    if (anonymous) return service.send(request);
    const { origin } = new URL(request.url);
    if (!trusted.has(origin)) {
      throw new TypeError(`${origin} must not get the token of the user. If it should, add it to the option "origins".`);
    }
    const token = await source.tokenFor(request.url);
    const response = await service.send(withToken(request.clone(), token));
    if (response.status !== 401 || !(await rejectsToken(response, service.has(request.url)))) return response;
    const other = await source.tokenInsteadOf(token, request.url);
    if (other === null) return response;
    await response.body?.cancel();
    return service.send(withToken(request, other));
  }

  async function json<Body>(input: string | URL, options: JsonOptions = {}): Promise<Body> {
    const { json: body, ...init } = options;
    const headers = new Headers(init.headers);
    if (!headers.has("Accept")) headers.set("Accept", "application/json");
    if (body === undefined) return jsonOf<Body>(await send(input, { ...init, headers }));
    headers.set("Content-Type", "application/json");
    return jsonOf<Body>(await send(input, { method: "POST", ...init, headers, body: JSON.stringify(body) }));
  }

  return { fetch: send, json };
}

function withToken(request: Request, token: string): Request {
  request.headers.set("Authorization", `Bearer ${token}`);
  return request;
}

/** Whether a 401 is about the token, so that another one may help. */
async function rejectsToken(response: Response, isOwn: boolean): Promise<boolean> {
  const code = (await problemOf(response))?.code ?? "unknown";
  return isOwn ? TOKEN_REJECTED.has(code) : code !== "proof_needed";
}
