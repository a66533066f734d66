"""The pages about what is stored about the caller's own account: its activity, and the download of its data."""

from flask import Response, request
from flask_babel import gettext as _

from userapi.audit import activity
from userapi.auth import account_data, passwords
from userapi.auth.caller import get_caller
from userapi.core import clock
from userapi.core.db import commit_on, db
from userapi.core.problems import ValidationFailed
from userapi.html.flash import flash
from userapi.http import responses
from userapi.http.user_agents import describe_user_agent
from userapi.users.problems import WrongPassword

from . import schemas
from .layout import blueprint, render_page
from .submitted_forms import load_form, show_on_error

#: Activities on a page.
PAGE_SIZE = 25


@blueprint.get("/account/activity/")
def show_activity() -> tuple[str, int]:
    """Show the security events of the account, newest first. If the cursor is invalid, these are the newest ones."""
    user_id, cursor, status = get_caller().user.id, request.args.get("cursor"), 200
    try:
        found, following = activity.list_activity(user_id, PAGE_SIZE, cursor)
    except ValidationFailed as error:
        flash(_("This link to older activity is not valid. Here is your newest activity."), "danger")
        cursor, status = None, error.status
        found, following = activity.list_activity(user_id, PAGE_SIZE)
    page = render_page(
        "account/activity.html",
        activities=found,
        texts=activity.TEXTS,
        alarming=activity.ALARMING,
        describe=describe_user_agent,
        is_first_page=not cursor,
        next_cursor=following.encode() if following else None,
    )
    return page, status


@blueprint.get("/account/data/")
def show_data() -> str:
    """Show the form that downloads the data of the account."""
    return render_page("account/data.html", is_password_required=not account_data.has_recent_sign_in(get_caller()))


@blueprint.post("/account/data/")
@show_on_error(show_data)
def download_data() -> Response:
    """Download the data of the account as a JSON file. The password is required unless the sign-in is recent."""
    caller = get_caller()
    if not account_data.has_recent_sign_in(caller):
        typed = load_form(schemas.own_password)
        with commit_on(WrongPassword):
            passwords.check_and_lock(caller.user.id, typed["password"], field="password")
    document = account_data.export_account_data(caller)
    db.session.commit()
    name = f"account-data-{clock.now():%Y-%m-%d}.json"
    return Response(
        responses.dump_indented_json(document),
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
