"""`/userapi/auth/identities/`: the identities at providers that are linked to the caller's account."""

from typing import Any

from flask import Response
from flask_babel import gettext as _

from userapi.core.db import db
from userapi.core.problems import NotFound, ProofNeeded, ValidationFailed
from userapi.federation import providers
from userapi.federation.problems import (
    IdentityTaken,
    ProviderAnswerInvalid,
    ProviderUnavailable,
    UnknownProvider,
    VisitExpired,
)
from userapi.http.openapi import Blueprint
from userapi.http.responses import json_response
from userapi.security.throttling import TooManyRequests
from userapi.users import site_urls

from . import identity_changes
from .caller import get_caller
from .problems import LastWayIn
from .provider_schemas import (
    IdentitiesSchema,
    IdentitySchema,
    LinkConfirmationSchema,
    LinkSchema,
    LinkStartedSchema,
)

blueprint = Blueprint("identities", __name__, description="Your accounts at other services that sign you in.")


@blueprint.get("/identities/")
@blueprint.jwt_required()
@blueprint.response(200, IdentitiesSchema)
@blueprint.leads_to(200, "unlink_identity", parameters={"identity_id": "$response.body#/results/0/id"})
def list_identities() -> Response:
    """List your identities at providers, oldest first."""
    return json_response({"results": identity_changes.list_identities(get_caller())})


@blueprint.post("/identities/")
@blueprint.jwt_required()
@blueprint.fresh
@blueprint.arguments(LinkSchema)
@blueprint.response(201, LinkStartedSchema)
@blueprint.raises(
    ValidationFailed, UnknownProvider, ProviderUnavailable, ProviderAnswerInvalid, ProofNeeded, TooManyRequests
)
def start_link(sent: dict[str, Any]) -> Response:
    """Start to link an identity. Send the browser to the URL in the response, and confirm the link afterwards."""
    provider = providers.find(sent["provider"])
    if not providers.is_return_url(sent["return_to"]):
        raise ValidationFailed(errors={"return_to": [_("This URL is not registered.")]})
    started = identity_changes.begin_link(
        get_caller(),
        provider,
        return_to=sent["return_to"],
        client_challenge=sent["code_challenge"],
        client_state=sent["state"],
    )
    db.session.commit()
    return json_response({"start_url": f"{site_urls.provider_start_url(provider.id)}?visit={started.state}"}, 201)


@blueprint.post("/identities/confirm/")
@blueprint.jwt_required()
@blueprint.arguments(LinkConfirmationSchema)
@blueprint.response(201, IdentitySchema)
@blueprint.raises(ValidationFailed, VisitExpired, UnknownProvider, IdentityTaken, TooManyRequests)
def confirm_link(sent: dict[str, Any]) -> Response:
    """Link the identity with whose code the browser came back. You must have started it."""
    caller = get_caller()
    identity_id = identity_changes.confirm_link(caller, **sent)
    db.session.commit()
    (linked,) = [each for each in identity_changes.list_identities(caller) if each["id"] == identity_id]
    return json_response(linked, 201)


@blueprint.delete("/identities/<row_id:identity_id>/")
@blueprint.jwt_required()
@blueprint.fresh
@blueprint.response(204)
@blueprint.raises(NotFound, LastWayIn, ProofNeeded)
def unlink_identity(identity_id: int) -> Response:
    """Unlink an identity. Sessions that began with it end, except this one."""
    identity_changes.unlink(get_caller(), identity_id)
    db.session.commit()
    return Response(status=204)
