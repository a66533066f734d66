"""The page of the applications with access to the caller's account."""

from flask import url_for

from userapi.auth.caller import get_caller
from userapi.openid import apps, scopes

from .layout import render_page
from .openid_pages import blueprint
from .single_submission import Done, submit_once

#: With these pages too.
__all__ = ["blueprint"]


@blueprint.get("/account/apps/")
def show_apps() -> str:
    """List the applications with access to the caller's account."""
    return render_page("account/apps.html", apps=apps.list_apps(get_caller().user.id), scope_texts=scopes.TEXTS)


@blueprint.post("/account/apps/<client_id>/withdraw/")
@submit_once
def withdraw_app(client_id: str) -> Done:
    """End the access of an application."""
    apps.withdraw(get_caller().user.id, client_id)
    return Done(url_for("openid_pages.show_apps"), "app_withdrawn")
