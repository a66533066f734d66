"""Documents about passkeys at `/.well-known/`, which browsers and password managers look for at the RP ID."""

from urllib.parse import urljoin

from flask import Response, current_app

from userapi.core.problems import NotFound
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response
from userapi.mfa import passkey_options
from userapi.users import site_urls

from .passkey_schemas import PasskeyEndpointsSchema, RelatedOriginsSchema

blueprint = Blueprint("passkey_discovery", __name__, description="What browsers look up about passkeys.")

CACHE = {"Cache-Control": "public, max-age=300"}


@blueprint.get("/.well-known/passkey-endpoints")
@blueprint.checks_credentials_itself
@blueprint.response(200, PasskeyEndpointsSchema)
@blueprint.raises(NotFound)
def read_passkey_endpoints() -> Response:
    """Read where users add and manage passkeys (W3C, Passkey Endpoints). 404 if there can be none."""
    if not passkey_options.are_available():
        raise NotFound
    page = urljoin(site_urls.security_url(), "#passkeys")
    return json_response({"enroll": page, "manage": page}, headers=CACHE)


@blueprint.get("/.well-known/webauthn")
@blueprint.checks_credentials_itself
@blueprint.response(200, RelatedOriginsSchema)
@blueprint.raises(NotFound)
def read_related_origins() -> Response:
    """Read which sites share the passkeys of this host (WebAuthn Level 3, section 5.11). 404 if there is only one."""
    sites = [origin for origin in current_app.config["PASSKEY_ORIGINS"] if origin.startswith("http")]
    if len(sites) < 2:
        raise NotFound
    return json_response({"origins": sites}, headers=CACHE)
