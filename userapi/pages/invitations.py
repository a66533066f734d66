"""The pages of an invitation: the link in the email, and the form that opens the account."""

from typing import Any

from flask import Response, request, url_for

from userapi.auth import admission
from userapi.auth.assurance import Way
from userapi.core import private_cookies
from userapi.html import profile_inputs
from userapi.html.redirects import redirect_to
from userapi.invitations import acceptance
from userapi.users.declaration import get_declaration

from . import schemas
from .layout import blueprint, render_page
from .links import LINK_MAX_AGE
from .page_auth import open_to_visitors
from .single_submission import Done, submit_once
from .submitted_forms import current_form, load_form, show_on_error

#: Holds the token of the link, so that it is in no URL when the form is shown.
COOKIE = "invitation_token"


@blueprint.get("/invitation/<token>/")
@open_to_visitors
def open_invitation(token: str) -> Response:
    """Move the token from the URL to a cookie that only the form gets. The link can still be used."""
    acceptance.find(token)
    response = redirect_to("pages.show_invitation")
    return private_cookies.set_cookie(response, COOKIE, token, LINK_MAX_AGE, url_for("pages.show_invitation"))


@blueprint.get("/invitation/accept/")
@open_to_visitors
def show_invitation() -> str:
    """Show the form that accepts the invitation."""
    invitation = acceptance.find(request.cookies.get(COOKIE, ""))
    return render_page(
        "invitation.html",
        invitation=invitation,
        given=acceptance.read_names(invitation.facts),
        inputs=_list_missing_inputs(invitation.facts),
    )


@blueprint.post("/invitation/accept/")
@open_to_visitors
@show_on_error(show_invitation)
@submit_once
def accept_invitation() -> Done:
    """Create the account and sign in; a profile that is missing follows."""
    user = acceptance.accept(request.cookies.get(COOKIE, ""), **load_form(schemas.invitation))
    session = admission.admit(admission.identify_new_account(user, Way.INVITATION))
    return Done(
        url_for("pages.open_first_profile" if user.profile is None else "pages.show_account"),
        "invitation_accepted",
        session_id=str(session.id),
        language=user.language,
        delete_cookie=(COOKIE, request.path),
    )


def _list_missing_inputs(facts: dict[str, Any]) -> list[profile_inputs.ProfileInput]:
    """The inputs for what the inviter left out of the profile; none if the whole profile can wait."""
    given, declaration = acceptance.read_profile(facts), get_declaration()
    names = {name for name in declaration.needed_at_first if given and given.get(name) in (None, "")}
    missing = [field for field in declaration.fields if field.name in names]
    return profile_inputs.list_inputs(missing, {}, current_form(None), names)
