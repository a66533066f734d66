"""The page that the link of an invitation opens. Opening it changes nothing; its button accepts."""

import flask
from flask.typing import ResponseReturnValue

from userapi.extending import User, csrf_token, current_user, db, signed_in

from . import invitations, queries
from .problems import AlreadyMember, InvalidInvitation, TooManyOrganisations
from .texts import ROLES

blueprint = flask.Blueprint("organisation_pages", __name__)


@blueprint.get("/invitations/<token>/")
@signed_in
def show_invitation(token: str) -> ResponseReturnValue:
    """Ask the user to accept; visitors sign in or register first, and then come back."""
    try:
        _invitation, organisation = invitations.find(token, _me())
    except InvalidInvitation as problem:
        return flask.render_template("organisations/invalid.html", problem=problem), problem.status
    return flask.render_template("organisations/invitation.html", organisation=organisation, token=csrf_token())


@blueprint.post("/invitations/<token>/")
@signed_in
def accept_invitation(token: str) -> ResponseReturnValue:
    """Accept the invitation."""
    try:
        invitations.accept(token, _me())
    except (InvalidInvitation, AlreadyMember, TooManyOrganisations) as problem:
        return flask.render_template("organisations/invalid.html", problem=problem), problem.status
    db.session.commit()
    return flask.redirect(flask.url_for(".show_own"), 303)


@blueprint.get("/")
@signed_in
def show_own() -> str:
    """The organisations of the user."""
    found = queries.list_organisations_of(_me().id)
    return flask.render_template("organisations/own.html", organisations=found, roles=ROLES)


def _me() -> User:
    """The user, whom `signed_in` has let through."""
    user = current_user()
    assert user is not None  # noqa: S101 - the views require sign-in
    return user
