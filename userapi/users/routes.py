"""`/userapi/users/`: register, list, read, edit and delete users."""

from typing import Any

from flask import Response, request
from flask_babel import gettext as _

from userapi.core import context
from userapi.core.db import db
from userapi.core.problems import NotFound, PreconditionFailed, ValidationFailed
from userapi.http import pagination, responses
from userapi.http.openapi import Blueprint
from userapi.security.throttling import TooManyRequests

from . import accounts, idempotency, list_queries, queries, user_json
from .editing import save, with_locked_user, with_locked_user_for
from .idempotency import IdempotencyKeyReused
from .models import User
from .password_policy import WeakPassword
from .permissions import CHANGE_USER, DELETE_USER, VIEW_USER
from .problems import EmailTaken, LastSuperuser, WrongPassword
from .schemas import (
    NewUserSchema,
    UserEditSchema,
    UserListSchema,
    UserPageSchema,
    UserReplacementSchema,
    UserSchema,
)

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
@blueprint.arguments(NewUserSchema)
@blueprint.response(201, UserSchema)
@blueprint.leads_to(201, *OF_A_USER, parameters={"user_id": "$response.body#/id"})
@blueprint.raises(ValidationFailed, EmailTaken, WeakPassword, IdempotencyKeyReused, TooManyRequests)
@blueprint.doc(parameters=[IDEMPOTENCY_KEY])
def create_user(new_user: dict[str, Any]) -> Response:
    """Create an account."""
    key = request.headers.get("Idempotency-Key")
    user = accounts.register(**new_user) if key is None else idempotency.register(key, new_user)
    made = user_json.from_user(user)
    db.session.commit()
    return user_json.answer(made, 201)


@blueprint.get("/users/")
@blueprint.staff_only(VIEW_USER)
@blueprint.arguments(UserListSchema, location="query")
@blueprint.response(200, UserPageSchema)
@blueprint.leads_to(200, *OF_A_USER, parameters={"user_id": "$response.body#/results/0/id"})
@blueprint.raises(ValidationFailed)
def list_users(query: dict[str, Any]) -> Response:
    """List users, one page at a time."""
    ordering, cursor = query.get("ordering", "id"), query.get("cursor")
    start = pagination.decode_cursor(cursor, ordering) if cursor else None
    page = list_queries.find_page(query, ordering, query["limit"], start)
    urls = pagination.build_page_links(page)
    document: dict[str, Any] = {**urls, "results": user_json.from_rows(page.rows)}
    if query["count"]:
        document["count"] = list_queries.count_users(query)
    return responses.json_response(document, headers=pagination.build_link_header(urls))


@blueprint.get("/users/<row_id:user_id>/")
@blueprint.owner_or_staff(VIEW_USER)
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
@with_locked_user
@blueprint.arguments(UserReplacementSchema)
@blueprint.response(200, UserSchema)
@blueprint.raises(
    ValidationFailed, EmailTaken, WrongPassword, NotFound, LastSuperuser, PreconditionFailed, TooManyRequests
)
def replace_user(user: User, changes: dict[str, Any]) -> Response:
    """Replace a user, with all required fields except the password."""
    return save(user, changes)


@blueprint.patch("/users/<row_id:user_id>/")
@blueprint.owner_or_staff(CHANGE_USER)
@with_locked_user
@blueprint.arguments(UserEditSchema)
@blueprint.response(200, UserSchema)
@blueprint.raises(
    ValidationFailed, EmailTaken, WrongPassword, NotFound, LastSuperuser, PreconditionFailed, TooManyRequests
)
def edit_user(user: User, changes: dict[str, Any]) -> Response:
    """Update some fields of a user. Profile fields are merged."""
    return save(user, changes)


@blueprint.delete("/users/<row_id:user_id>/")
@blueprint.staff_only(DELETE_USER)
@with_locked_user_for(DELETE_USER)
@blueprint.response(204)
@blueprint.raises(NotFound, LastSuperuser, PreconditionFailed)
def delete_user(user: User) -> Response:
    """Delete a user with their profile and sessions."""
    accounts.delete(user)
    db.session.commit()
    return Response(status=204)
