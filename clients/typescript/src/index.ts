export { type Client, type ClientOptions, createClient, type KeyClient, type KeyClientOptions, type SignInResult } from "./client.js";
export { ProblemError, ProofNeededError, problemOf, SecondStepRequiredError, SignedOutError } from "./problems.js";
export type { JsonOptions, RequestOptions } from "./requests.js";
export type { SignedOut } from "./session.js";
export { localTokenStorage, memoryStorage, type StoredTokens, type TokenStorage } from "./storage.js";
export type { Credentials, OwnUser, Problem, Profile, Proof, Proved, SecondStep, TokenPair, User } from "./types.js";
