"""The descriptions of API fields by name, the same in every schema that has them."""

from userapi.users import fields

DESCRIPTIONS = {
    **fields.DESCRIPTIONS,
    # Lists
    "next": "The URL of the next page.",
    "previous": "The URL of the previous page.",
    "results": "The items on this page.",
    # Passwords
    "password": "The password exactly as entered, including spaces.",
    "old_password": "The current password.",
    "new_password1": "The new password.",
    "new_password2": "The new password, repeated.",
    "uid": "The first part of the link in the email.",
    "token": "The last part of the link in the email.",
    # Tokens and sessions
    "access_token": "Send it as `Authorization: Bearer <token>`.",
    "refresh_token": "Exchange it at `/api-token-refresh/`. It is single-use.",
    "token_type": "The authorization scheme of the access token.",
    "iss": "The issuer of the token: `JWT_ISSUER`.",
    "aud": "The audience of the token: `JWT_AUDIENCE`.",
    "jti": "The id of the token.",
    "iat": "When the token was issued, in seconds since 1970.",
    "nbf": "When the token becomes valid, in seconds since 1970.",
    "exp": "When the token expires, in seconds since 1970.",
    "acr": "How sure the service is of the user: `aal1` after one proof of identity, `aal2` after two.",
    "amr": "The proofs of identity that were given (RFC 8176), such as `pwd`, `otp`, `fed`, and `mfa` for `aal2`.",
    "auth_time": "When the identity was last proved, in seconds since 1970.",
    "type": "What the token is for.",
    "created_at": "When the user signed in.",
    "last_used_at": "When the session was last used, to the minute.",
    "expires_at": "When the session expires at the latest.",
    "user_agent": "The `User-Agent` header of the browser or program.",
    "user": "The user who signed in.",
    "keys": "The public keys as JSON Web Keys.",
}
