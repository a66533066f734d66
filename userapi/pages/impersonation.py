"""The button with which staff stop acting as a user. It exists only with the setting IMPERSONATION."""

from flask import Response, url_for
from flask_babel import gettext as _

from userapi.auth import cookies, impersonation
from userapi.auth.caller import get_caller
from userapi.core.db import db
from userapi.html import own_session
from userapi.html.flash import flash
from userapi.html.redirects import redirect_to, see_other
from userapi.http.impersonating import Impersonating, mark_impersonating

from .layout import Pages
from .page_auth import open_to_incomplete, open_to_set_up

blueprint = Pages("impersonation", __name__)


@blueprint.post("/impersonation/stop/")
@mark_impersonating(Impersonating.ENDS_IT)
@open_to_incomplete
@open_to_set_up
def stop() -> Response:
    """Stop, and return to the page of the user on the staff site, or to the sign-in if the own session has ended."""
    caller = get_caller()
    if caller.impersonation is None:
        return redirect_to("pages.show_account")
    impersonation.end_of_caller(caller)
    response = see_other(url_for("staff_users.show", user_id=caller.user.id))
    has_own_session = own_session.give_back(response, caller.session_id)
    db.session.commit()
    if has_own_session:
        flash(_("You are no longer signed in as %(email)s.", email=caller.user.email))
        return response
    flash(_("Your own session has ended too. Sign in to continue."))
    return cookies.delete_token_cookies(redirect_to("pages.show_sign_in"))
