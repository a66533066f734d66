"""`/userapi/invitations/` for staff, `/userapi/auth/invitations/` for users who invite others or are invited."""

from typing import Any

from flask import Response

from userapi.core import clock, context
from userapi.core.db import db
from userapi.core.problems import NotForApiKeys, PermissionDenied, ProofNeeded, ValidationFailed
from userapi.core.scopes import Scope
from userapi.http import pagination
from userapi.http.openapi import Blueprint
from userapi.http.pagination import Cursor
from userapi.http.responses import json_response
from userapi.security.throttling import TooManyRequests
from userapi.users import user_json
from userapi.users.password_policy import WeakPassword
from userapi.users.permissions import ADD_USER
from userapi.users.problems import EmailTaken
from userapi.users.registration import EmailDomainNotAllowed, RegistrationClosed
from userapi.users.schemas import UserSchema

from . import acceptance, invitation_json, queries, sending, sending_by_users
from .models import State
from .problems import (
    InvalidInvitation,
    InvitationEnded,
    InvitationNotFound,
    InviterUnverified,
    TooManyInvitations,
    UsersMayNotInvite,
)
from .schemas import (
    AcceptanceSchema,
    InvitationListSchema,
    InvitationPageSchema,
    InvitationSchema,
    NewInvitationSchema,
    NewOwnInvitationSchema,
    OwnInvitationSchema,
    OwnInvitationsSchema,
)
from .sending import NewInvitation

blueprint = Blueprint("invitations", __name__, description="Invitations to open an account.")
own_blueprint = Blueprint("own_invitations", __name__, description="Invitations that users send and accept.")

#: The order of the list, for its cursors.
ORDER = "-id"


@blueprint.get("/invitations/")
@blueprint.staff_only(ADD_USER)
@blueprint.scope(Scope.USERS)
@blueprint.arguments(InvitationListSchema, location="query")
@blueprint.response(200, InvitationPageSchema)
@blueprint.raises(ValidationFailed)
@blueprint.leads_to(
    200,
    "read_invitation",
    "resend_invitation",
    "revoke_invitation",
    parameters={"invitation_id": "$response.body#/results/0/id"},
)
def list_invitations(query: dict[str, Any]) -> Response:
    """List invitations, the newest first. Those that ended a week ago are deleted."""
    state, limit = State(query["state"]) if "state" in query else None, query["limit"]
    before = pagination.decode_cursor(query["cursor"], ORDER).row_id if "cursor" in query else None
    found = queries.list_newest(state, clock.now(), limit + 1, before)
    following = Cursor(ORDER, "next", None, found[limit - 1].id) if len(found) > limit else None
    shown = invitation_json.describe(found[:limit])
    return json_response({"next": pagination.build_page_url(following), "results": shown})


@blueprint.post("/invitations/")
@blueprint.staff_only(ADD_USER)
@blueprint.scope(Scope.USERS_WRITE)
@blueprint.arguments(NewInvitationSchema)
@blueprint.response(201, InvitationSchema)
@blueprint.raises(ValidationFailed, PermissionDenied, RegistrationClosed, ProofNeeded, NotForApiKeys, TooManyRequests)
@blueprint.leads_to(
    201,
    "read_invitation",
    "resend_invitation",
    "revoke_invitation",
    parameters={"invitation_id": "$response.body#/id"},
)
def create_invitation(sent: dict[str, Any]) -> Response:
    """Invite someone by email. An earlier invitation to the same email is replaced; its link stops working.

    The response does not say whether an account has the email. If one has, the email asks its owner to sign in.
    """
    (document,) = invitation_json.describe([sending.send(NewInvitation(**sent), context.current_actor())])
    db.session.commit()
    return json_response(document, 201, {"Location": document["url"]})


@blueprint.get("/invitations/<row_id:invitation_id>/")
@blueprint.staff_only(ADD_USER)
@blueprint.scope(Scope.USERS)
@blueprint.response(200, InvitationSchema)
@blueprint.raises(InvitationNotFound)
def read_invitation(invitation_id: int) -> Response:
    """Read an invitation."""
    found = queries.find(invitation_id)
    if found is None:
        raise InvitationNotFound
    return json_response(invitation_json.describe([found])[0])


@blueprint.delete("/invitations/<row_id:invitation_id>/")
@blueprint.staff_only(ADD_USER)
@blueprint.scope(Scope.USERS_WRITE)
@blueprint.response(204)
@blueprint.raises(InvitationNotFound, InvitationEnded)
def revoke_invitation(invitation_id: int) -> Response:
    """Revoke an invitation. Its link stops working immediately."""
    sending.revoke(invitation_id)
    db.session.commit()
    return Response(status=204)


@blueprint.post("/invitations/<row_id:invitation_id>/resend/")
@blueprint.staff_only(ADD_USER)
@blueprint.scope(Scope.USERS_WRITE)
@blueprint.response(202, InvitationSchema)
@blueprint.raises(InvitationNotFound, InvitationEnded, RegistrationClosed, TooManyRequests)
def resend_invitation(invitation_id: int) -> Response:
    """Send an invitation again with a new link, also one that has expired. Its earlier link stops working."""
    (document,) = invitation_json.describe([sending.resend(invitation_id)])
    db.session.commit()
    return json_response(document, 202)


@own_blueprint.get("/invitations/")
@own_blueprint.scope(Scope.PROFILE)
@own_blueprint.response(200, OwnInvitationsSchema)
def list_own_invitations() -> Response:
    """List the invitations that you have sent, the newest first. Those that ended a week ago are deleted."""
    own = sending_by_users.list_own(context.current_user().id)
    return json_response({"results": [invitation_json.describe_own(row) for row in own.rows], "left": own.left})


@own_blueprint.post("/invitations/")
@own_blueprint.arguments(NewOwnInvitationSchema)
@own_blueprint.response(201, OwnInvitationSchema)
@own_blueprint.raises(
    ValidationFailed,
    UsersMayNotInvite,
    InviterUnverified,
    TooManyInvitations,
    RegistrationClosed,
    EmailDomainNotAllowed,
    TooManyRequests,
)
@own_blueprint.leads_to(201, "revoke_own_invitation", parameters={"invitation_id": "$response.body#/id"})
def send_own_invitation(sent: dict[str, Any]) -> Response:
    """Invite someone by email, if this site lets its users do so. Inviting again replaces the link.

    The response does not say whether an account has the email.
    """
    document = invitation_json.describe_own(
        sending_by_users.send(sent["email"], sent.get("language"), context.current_user())
    )
    db.session.commit()
    return json_response(document, 201)


@own_blueprint.delete("/invitations/<row_id:invitation_id>/")
@own_blueprint.response(204)
@own_blueprint.raises(UsersMayNotInvite, InvitationNotFound, InvitationEnded)
def revoke_own_invitation(invitation_id: int) -> Response:
    """Revoke an invitation that you have sent. Its link stops working immediately."""
    sending_by_users.revoke(invitation_id, context.current_user().id)
    db.session.commit()
    return Response(status=204)


@own_blueprint.post("/invitations/accept/")
@own_blueprint.checks_credentials_itself
@own_blueprint.arguments(AcceptanceSchema)
@own_blueprint.response(201, UserSchema)
@own_blueprint.raises(
    ValidationFailed,
    InvalidInvitation,
    EmailTaken,
    WeakPassword,
    EmailDomainNotAllowed,
    RegistrationClosed,
    TooManyRequests,
)
def accept_invitation(sent: dict[str, Any]) -> Response:
    """Accept an invitation: the account is created, and its email is confirmed. The token works once."""
    document = user_json.from_user(acceptance.accept(**sent))
    db.session.commit()
    return user_json.answer(document, 201)
