/** The bodies of requests and responses that this package sends and reads; tests compare them with the OpenAPI document. */

/** What the service returns after a sign-in and a refresh. */
export interface TokenPair {
  access_token: string;
  /** It is single-use. */
  refresh_token: string;
  token_type: "Bearer";
  /** Seconds until the access token expires. */
  expires_in: number;
}

/** The profile of a service that declares no fields of its own. */
export interface Profile {
  title: string;
  /** Date of birth, as YYYY-MM-DD. */
  dob: string;
  address: string;
  country: string;
  city: string;
  zip: string;
}

/** A user. `User<MyProfile>` has the fields that your service declares (`PROFILE_FIELDS`). */
export interface User<UserProfile = Profile> {
  readonly url: string;
  /** Never reused, even after the user is deleted. */
  id: number;
  email: string;
  username: string | null;
  first_name: string;
  last_name: string;
  /** The language of emails to the user, such as `de`. */
  language: string | null;
  profile: UserProfile | null;
  is_active: boolean;
  is_staff: boolean;
  is_superuser: boolean;
  email_verified: boolean;
  /** The new email address that is waiting for confirmation. */
  pending_email: string | null;
  date_joined: string;
  last_login: string | null;
}

/** What `GET /userapi/auth/user/` returns. */
export interface OwnUser<UserProfile = Profile> extends User<UserProfile> {
  has_password: boolean;
}

/** An error response (RFC 9457). `code` is stable; `title`, `detail` and `errors` are in the language of the user. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  /** Messages by field, nested like the request. */
  errors?: Record<string, unknown>;
  ways?: string[];
  acr?: string;
  max_age?: number;
  setup_url?: string;
  mfa_token?: string;
  expires_in?: number;
}

/** The first step of a sign-in. */
export interface Credentials {
  email: string;
  password: string;
  /** The code of an authenticator app, if the user has entered it with the password. */
  code?: string;
  /** From an earlier sign-in with `remember_device`; then no second step is needed. */
  device_token?: string;
}

/** The second step of a sign-in: a code, or what `PublicKeyCredential.toJSON()` returns. */
export interface SecondStep {
  code?: string;
  credential?: Record<string, unknown>;
  remember_device?: boolean;
}

/** A proof of identity of a user who is signed in already. */
export interface Proof {
  password?: string;
  code?: string;
  /** From `POST /userapi/auth/code/`, for a code by email. */
  challenge?: string;
  credential?: Record<string, unknown>;
}

/** How strong the proof was, and when it was given, in seconds since 1970. */
export interface Proved {
  acr: "aal1" | "aal2";
  auth_time: number;
}
