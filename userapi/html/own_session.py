"""How staff who act as a user get back to their own session, which an encrypted cookie of their browser names."""

import uuid
from typing import Any

from flask import Response, url_for
from flask_babel import gettext as _

from userapi.auth import cookies, impersonation, sign_in, tokens
from userapi.auth.models import Session
from userapi.core import clock
from userapi.core.db import db
from userapi.security import encryption

from .flash import flash
from .redirects import see_other

PURPOSE = "own-session"


def leave_it(response: Response, begun: Session) -> Response:
    """Sign this browser in as a user; the cookies of the member of staff are replaced.

    Args:
        response: that sets the cookies.
        begun: the session of the impersonation.
    """
    names = {"session": str(begun.impersonator_session_id), "impersonation": str(begun.id)}
    seconds = int((begun.expires_at - clock.now()).total_seconds())
    sealed = encryption.encrypt_json(PURPOSE, names)
    return cookies.set_impersonation_cookies(response, tokens.issue_for_impersonation(begun), sealed, seconds)


def give_back(response: Response, impersonation_id: uuid.UUID | None = None) -> bool:
    """Sign this browser in to the session of the member of staff again, and end the impersonation.

    False if that session has ended, if no cookie names it, or if the cookie was used before: a copy of it is no way in.

    Args:
        response: that sets the cookies.
        impersonation_id: the impersonation that ends; None if it has ended already.
    """
    sealed = cookies.get_own_session()
    found: Any = encryption.decrypt_json(PURPOSE, sealed, cookies.OWN_SESSION_MAX_AGE) if sealed else None
    if not isinstance(found, dict) or str(impersonation_id or found["impersonation"]) != found["impersonation"]:
        return False
    own_id = uuid.UUID(found["session"])
    if not impersonation.return_own_session(uuid.UUID(found["impersonation"]), own_id):
        return False
    pair = sign_in.issue_browser_pair(own_id)
    if pair is None:
        return False
    cookies.set_token_cookies(response, pair)
    return True


def return_to_it() -> Response | None:
    """Redirect to the staff site if the impersonation of this browser has ended; None if the own session has too."""
    response = see_other(url_for("admin.index"))
    db.session.rollback()  # of the request that was rejected
    is_given_back = give_back(response)
    db.session.commit()
    if not is_given_back:
        return None
    flash(_("You are no longer signed in as the user. You have your own account again."), "warning")
    return response
