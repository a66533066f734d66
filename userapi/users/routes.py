"""`/userapi/users/`: register, list, read, edit and delete users."""

from typing import Any

from flask import Response, request
from flask_babel import gettext as _

from userapi.core import context
from userapi.core.db import allow_standby, db
from userapi.core.problems import NotAcceptable, NotFound, PreconditionFailed, ProofNeeded, ValidationFailed
from userapi.core.scopes import Scope
from userapi.http import pagination, responses
from userapi.http.impersonating import Impersonating, mark_impersonating
from userapi.http.openapi import Blueprint
from userapi.security.throttling import TooManyRequests

from . import accounts, idempotency, list_queries, profile_description, proof_check, queries, user_json
from .editing import save, with_locked_user, with_locked_user_for
from .idempotency import IdempotencyKeyReused
from .models import User
from .password_policy import WeakPassword
from .permissions import CHANGE_USER, DELETE_USER, VIEW_USER
from .problems import AccountHeld, EmailTaken, LastSuperuser, WrongPassword
from .registration import RegistrationClosed
from .schemas import (
    NewUserSchema,
    ProfileFieldsSchema,
    UserEditSchema,
    UserListSchema,
    UserPageSchema,
    UserReplacementSchema,
    UserSchema,
)
from .user_values import UserValues

blueprint = Blueprint("users", __name__, description="Users and their profiles.")

#: The operations that take the id of a user.
OF_A_USER = ("read_user", "replace_user", "edit_user", "delete_user")

IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "A unique key for each registration, such as a UUID. For 24 hours, the same request with the same "
    "key returns the first response again.",
    "schema": {"type": "string", "minLength": 16, "maxLength": 255},
    "example": "0d9f6a52-3b7e-4c1d-a8f0-6e5b4c3d2a19",
}


@blueprint.post("/users/")
@blueprint.open_to_all
@blueprint.scope(Scope.USERS_WRITE)
@blueprint.arguments(NewUserSchema)
@blueprint.response(201, UserSchema)
@blueprint.leads_to(201, *OF_A_USER, parameters={"user_id": "$response.body#/id"})
@blueprint.raises(ValidationFailed, EmailTaken, WeakPassword, IdempotencyKeyReused, RegistrationClosed, TooManyRequests)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def create_user(new_user: dict[str, Any]) -> Response:
    """Create an account."""
    key = request.headers.get("Idempotency-Key")
    by = context.current_actor()
    user = accounts.register(by=by, **new_user) if key is None else idempotency.register(key, new_user, by)
    made = user_json.from_user(user)
    db.session.commit()
    return user_json.answer(made, 201)


@blueprint.get("/users/")
@blueprint.staff_only(VIEW_USER)
@blueprint.scope(Scope.USERS)
@blueprint.arguments(UserListSchema, location="query")
@blueprint.response(200, UserPageSchema)
@blueprint.leads_to(200, *OF_A_USER, parameters={"user_id": "$response.body#/results/0/id"})
@blueprint.raises(ValidationFailed)
def list_users(query: dict[str, Any]) -> Response:
    """List users, one page at a time."""
    allow_standby()
    ordering, cursor = query.get("ordering", "id"), query.get("cursor")
    start = pagination.decode_cursor(cursor, ordering) if cursor else None
    page = list_queries.find_page(query, ordering, query["limit"], start)
    urls = pagination.build_page_links(page)
    document: dict[str, Any] = {**urls, "results": user_json.from_rows(page.rows)}
    if query["count"]:
        document["count"] = list_queries.count_users(query)
    return responses.json_response(document, headers=pagination.build_link_header(urls))


@blueprint.get("/profile-fields/")
@blueprint.open_to_all
@blueprint.scope()
@blueprint.response(200, ProfileFieldsSchema)
@blueprint.raises(NotAcceptable)
def read_profile_fields() -> Response:
    """Describe the profile of a new user as JSON Schema (2020-12), with labels in your language."""
    return responses.make_conditional(responses.json_response(profile_description.describe_new_profile()))


@blueprint.get("/users/<row_id:user_id>/")
@blueprint.owner_or_staff(VIEW_USER)
@blueprint.scope(Scope.USERS)
@blueprint.open_to_incomplete
@blueprint.open_to_set_up
@blueprint.response(200, UserSchema)
@blueprint.raises(NotFound)
def read_user(user_id: int) -> Response:
    """Read a user."""
    me = context.current_user()
    row = me if user_id == me.id else queries.find_row(user_id)
    if row is None:
        raise NotFound(_("There is no user with this id."))
    return user_json.answer(user_json.from_row(row))


@blueprint.put("/users/<row_id:user_id>/")
@blueprint.owner_or_staff(CHANGE_USER)
@mark_impersonating(Impersonating.WRITES)
@blueprint.scope(Scope.USERS_WRITE)
@blueprint.open_to_incomplete
@with_locked_user
@blueprint.arguments(UserReplacementSchema)
@blueprint.response(200, UserSchema)
@blueprint.raises(
    ValidationFailed,
    EmailTaken,
    WrongPassword,
    ProofNeeded,
    NotFound,
    LastSuperuser,
    PreconditionFailed,
    TooManyRequests,
)
def replace_user(user: UserValues, changes: dict[str, Any]) -> Response:
    """Replace a user, with all required fields except the password."""
    return save(user, changes)


@blueprint.patch("/users/<row_id:user_id>/")
@blueprint.owner_or_staff(CHANGE_USER)
@mark_impersonating(Impersonating.WRITES)
@blueprint.scope(Scope.USERS_WRITE)
@blueprint.open_to_incomplete
@with_locked_user
@blueprint.arguments(UserEditSchema)
@blueprint.response(200, UserSchema)
@blueprint.raises(
    ValidationFailed,
    EmailTaken,
    WrongPassword,
    ProofNeeded,
    NotFound,
    LastSuperuser,
    PreconditionFailed,
    TooManyRequests,
)
def edit_user(user: UserValues, changes: dict[str, Any]) -> Response:
    """Update some fields of a user. Profile fields are merged."""
    return save(user, changes)


@blueprint.delete("/users/<row_id:user_id>/")
@blueprint.staff_only(DELETE_USER)
@blueprint.scope(Scope.USERS_DELETE)
@with_locked_user_for(DELETE_USER)
@blueprint.response(204)
@blueprint.raises(ProofNeeded, NotFound, AccountHeld, LastSuperuser, PreconditionFailed)
def delete_user(user: User) -> Response:
    """Delete a user with their profile and sessions."""
    proof_check.require_recent_proof()
    accounts.delete(user, by=context.current_actor())
    db.session.commit()
    return Response(status=204)
