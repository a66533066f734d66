"""What Google, Microsoft, Apple and GitHub answer that is particular to them, as their documentation shows it.

Tests cannot reach the real ones, so these facts stand in for them. Try a real account of each before a release.
"""

from typing import Any

#: An ID token of a Google Workspace account. `hd` is missing for a personal account, and then Google may have verified
#: an address of a foreign domain years ago (https://developers.google.com/identity/openid-connect/openid-connect).
GOOGLE_WORKSPACE: dict[str, Any] = {
    "sub": "10769150350006150715113082367",
    "email": "jsmith@example.com",
    "email_verified": True,
    "hd": "example.com",
    "given_name": "Jane",
    "family_name": "Smith",
}
GOOGLE_PERSONAL: dict[str, Any] = {
    "sub": "110169484474386276334",
    "email": "jsmith@gmail.com",
    "email_verified": True,
    "given_name": "Jane",
}

#: An ID token of Microsoft Entra. `email` is what an administrator of the tenant typed, and there is no
#: `email_verified`; `xms_edov` comes only if it was requested
#: (https://learn.microsoft.com/entra/identity-platform/optional-claims-reference). Its answers have no `iss`.
MICROSOFT_TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
MICROSOFT: dict[str, Any] = {
    "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
    "tid": MICROSOFT_TENANT,
    "ver": "2.0",
    "email": "jane@victim.example.com",
    "preferred_username": "jane@victim.example.com",
    "name": "Jane Smith",
}

#: An ID token of Apple, whose booleans are texts, and the name that its form has at the first sign-in only
#: (https://developer.apple.com/documentation/signinwithapple/authenticating-users-with-sign-in-with-apple).
APPLE: dict[str, Any] = {
    "sub": "001999.7f9b2d1ff0be4cd8b6a6d3f0f5b6b1a5.1219",
    "email": "jane@privaterelay.appleid.com",
    "email_verified": "true",
    "is_private_email": "true",
    "nonce_supported": True,
}
APPLE_USER = '{"name":{"firstName":"Jane","lastName":"Smith"},"email":"jane@privaterelay.appleid.com"}'

#: Responses of GitHub: `/user` has the address that the user shows to everyone, `/user/emails` has all addresses
#: (https://docs.github.com/rest/users/emails). Errors of the token endpoint have the status 200.
GITHUB_USER: dict[str, Any] = {
    "login": "octocat",
    "id": 583231,
    "name": "Mona Lisa Octocat",
    "email": "victim@example.com",
    "type": "User",
}
GITHUB_EMAILS: list[dict[str, Any]] = [
    {"email": "victim@example.com", "primary": False, "verified": False, "visibility": None},
    {"email": "octocat@example.org", "primary": True, "verified": True, "visibility": "private"},
    {"email": "583231+octocat@users.noreply.github.com", "primary": False, "verified": True, "visibility": None},
]
GITHUB_TOKEN: dict[str, Any] = {
    "access_token": "gho_16C7e42F292c",
    "scope": "read:user,user:email",
    "token_type": "bearer",
}
GITHUB_ERROR: dict[str, Any] = {
    "error": "bad_verification_code",
    "error_description": "The code passed is incorrect or expired.",
    "error_uri": "https://docs.github.com/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors",
}
