import type { Problem } from "./types.js";

/** An error response of the service. Compare `code`, which does not change: docs/errors.md lists them. */
export class ProblemError extends Error {
  override readonly name: string = "ProblemError";
  readonly status: number;
  readonly code: string;
  /** Messages by field, nested like the request. */
  readonly errors: Record<string, unknown>;

  constructor(
    readonly problem: Problem,
    /** Seconds to wait before the request is sent again, if the service says so. */
    readonly retryAfter: number | null = null,
    /** Names the request in the logs of the service. */
    readonly requestId: string | null = null,
  ) {
    super(problem.detail || problem.title);
    this.status = problem.status;
    this.code = problem.code;
    this.errors = problem.errors ?? {};
  }
}

/** The request requires a newer or stronger proof of identity: call `prove`, then send the request again. */
export class ProofNeededError extends ProblemError {
  override readonly name = "ProofNeededError";

  /** How the user can prove the identity, the strongest way first: `password`, `totp`, … */
  get ways(): string[] {
    return this.problem.ways ?? [];
  }

  /** The level that the proof must reach. */
  get acr(): string | undefined {
    return this.problem.acr;
  }

  /** The maximum age of the proof, in seconds. */
  get maxAge(): number | undefined {
    return this.problem.max_age;
  }
}

/** The account must set up a second step first, on the page `setupUrl`. */
export class SecondStepRequiredError extends ProblemError {
  override readonly name = "SecondStepRequiredError";

  get setupUrl(): string | undefined {
    return this.problem.setup_url;
  }
}

/** No user is signed in, or the session has ended. */
export class SignedOutError extends Error {
  override readonly name = "SignedOutError";

  constructor(
    /** What the service says about the session; null if no user was signed in. */
    readonly problem: Problem | null = null,
  ) {
    super(problem?.detail ?? "No user is signed in.");
  }
}

/** The error that a response describes; null if it is none. The body of the response can still be read. */
export async function problemOf(response: Response): Promise<ProblemError | null> {
  if (response.ok) return null;
  const problem = (await readProblem(response)) ?? stepUp(response) ?? unknownProblem(response);
  const retryAfter = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const details = [problem, Number.isNaN(retryAfter) ? null : retryAfter, response.headers.get("X-Request-ID")] as const;
  if (problem.code === "proof_needed") return new ProofNeededError(...details);
  if (problem.code === "second_step_required") return new SecondStepRequiredError(...details);
  return new ProblemError(...details);
}

/** The problem document of a response, if it has one. */
async function readProblem(response: Response): Promise<Problem | null> {
  if (!/\bjson\b/.test(response.headers.get("Content-Type") ?? "")) return null;
  try {
    const body: unknown = await response.clone().json();
    return isProblem(body) ? body : null;
  } catch {
    return null;
  }
}

function isProblem(body: unknown): body is Problem {
  return typeof body === "object" && body !== null && "code" in body && typeof body.code === "string" && "status" in body;
}

/** What another service asks for with the header of RFC 9470. */
function stepUp(response: Response): Problem | null {
  const challenge = response.headers.get("WWW-Authenticate") ?? "";
  if (!challenge.includes("insufficient_user_authentication")) return null;
  const acr = /\bacr_values="([^"]*)"/.exec(challenge)?.[1];
  const age = /\bmax_age="?(\d+)/.exec(challenge)?.[1];
  return {
    ...unknownProblem(response),
    code: "proof_needed",
    ...(acr === undefined ? {} : { acr }),
    ...(age === undefined ? {} : { max_age: Number(age) }),
  };
}

function unknownProblem({ status, statusText }: Response): Problem {
  return { type: "about:blank", title: statusText || `HTTP status ${status}`, status, detail: "", code: "unknown" };
}
