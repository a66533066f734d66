"""The pages about what is stored about the caller's own account: its activity, and the download of its data."""

from flask import Response, request
from flask_babel import gettext as _

from userapi.audit import activity
from userapi.auth import account_data
from userapi.auth.caller import get_caller
from userapi.core.problems import ValidationFailed
from userapi.html.flash import flash
from userapi.http.user_agents import describe_user_agent
from userapi.privacy import own_export
from userapi.privacy.export_queries import read_further_columns
from userapi.users import terms

from .layout import blueprint, render_page
from .page_auth import fresh, open_to_incomplete

#: Activities on a page.
PAGE_SIZE = 25


@blueprint.get("/account/activity/")
def show_activity() -> tuple[str, int]:
    """Show the security events of the account, newest first. If the cursor is invalid, these are the newest ones."""
    user_id, cursor, status = get_caller().user.id, request.args.get("cursor"), 200
    try:
        found, following = account_data.list_activity(user_id, PAGE_SIZE, cursor)
    except ValidationFailed as error:
        flash(_("This link to older activity is not valid. Here is your newest activity."), "danger")
        cursor, status = None, error.status
        found, following = account_data.list_activity(user_id, PAGE_SIZE)
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
@open_to_incomplete
def show_data() -> str:
    """Show the form that downloads the data of the account, and which terms the user accepted."""
    accepted = read_further_columns(get_caller().user.id) if terms.are_in_force() else {}
    return render_page("account/data.html", accepted=accepted)


@blueprint.post("/account/data/")
@open_to_incomplete
@fresh
def download_data() -> Response:
    """Download the data of the account as a JSON file."""
    return own_export.respond_with_export(get_caller())
