"""Sets up the staff site: Flask-Admin, and its views in the order of the menu."""

from functools import partial
from typing import Any

from flask import Flask
from flask_admin import Admin
from flask_admin.theme import Bootstrap4Theme
from flask_babel import lazy_gettext

from userapi.http import bodies, errors, headers
from userapi.transfer import jobs

from . import error_pages, imports
from .audit_log import AuditView
from .bulk import BulkView
from .dashboard import Dashboard
from .emails import EmailView, OldEmailView
from .groups import GroupView
from .invitations import InvitationView
from .leaving import LeavingView
from .providers import ProviderView
from .saved_filters import SavedFilterView
from .service_accounts import ServiceAccountView
from .sessions import SessionView
from .system import SystemView
from .users import UserView
from .views import StaffView
from .webhooks import WebhookView

#: Bytes that an import form may have besides the file.
FORM_FIELDS = 64 * 1024


def _choose_user_view(app: Flask) -> type[StaffView]:
    if not app.config["IMPERSONATION"]:
        return UserView
    from .impersonation import ImpersonatingUserView  # nothing of it is imported before it is used

    return ImpersonatingUserView


def _choose_client_view(app: Flask) -> type[StaffView] | None:
    if not app.config["OPENID_PROVIDER"]:
        return None
    from .clients import ClientView  # without the setting, nothing of it is imported

    return ClientView


#: The views in the order of the menu, each with its name, its icon, and its path below `/admin/`. A function chooses a
#: view by the settings, or none.
MENU: tuple[tuple[Any, Any, str, str], ...] = (
    (_choose_user_view, lazy_gettext("Users"), "users", "users"),
    (InvitationView, lazy_gettext("Invitations"), "mail-forward", "invitations"),
    (LeavingView, lazy_gettext("Leaving"), "user-off", "leaving"),
    (GroupView, lazy_gettext("Groups"), "users-group", "groups"),
    (ServiceAccountView, lazy_gettext("Service accounts"), "server", "service-accounts"),
    (SessionView, lazy_gettext("Sessions"), "device-desktop", "sessions"),
    (EmailView, lazy_gettext("Emails"), "mail", "emails"),
    (imports.ImportView, lazy_gettext("Imports"), "file-import", "imports"),
    (BulkView, lazy_gettext("Bulk actions"), "list-check", "bulk"),
    (AuditView, lazy_gettext("Audit log"), "history", "audit"),
    (WebhookView, lazy_gettext("Webhooks"), "webhook", "webhooks"),
    (ProviderView, lazy_gettext("Providers"), "login", "providers"),
    (_choose_client_view, lazy_gettext("Client applications"), "plug", "clients"),
    (SystemView, lazy_gettext("System"), "server", "system"),
)


def configure(app: Flask) -> None:
    """Put the staff site under `/admin/`."""
    bodies.allow_larger_body(app, "/admin/imports/new/", jobs.max_bytes(app) + FORM_FIELDS)
    site = Admin(
        app,
        name=lazy_gettext("Staff site"),
        index_view=Dashboard(name=lazy_gettext("Overview"), menu_icon_value="home", endpoint="admin", url="/admin"),
        theme=Bootstrap4Theme(base_template="admin/frame.html"),
        csp_nonce_generator=headers.get_csp_nonce,
    )
    error_view = error_pages.ErrorView(name=lazy_gettext("Error"), endpoint="staff_errors")
    error_view.admin = site
    errors.set_page(app, "/admin/", partial(error_pages.render_error, error_view))
    for view, name, icon, url in MENU:
        chosen = view if isinstance(view, type) else view(app)
        if chosen is not None:
            add_view(app, chosen, name, icon, url)
    site.add_view(OldEmailView(name=lazy_gettext("Emails"), endpoint="staff_outbox", url="outbox"))
    site.add_view(SavedFilterView(name=lazy_gettext("Saved filters"), endpoint="staff_filters", url="users/filters"))


def add_view(app: Flask, view: type[StaffView], name: Any, icon: str, path: str) -> None:
    """Add a view to the end of the menu.

    Args:
        app: the application, whose staff site is configured.
        view: the view.
        name: in the menu.
        icon: likewise.
        path: below `/admin/`.
    """
    (site,) = app.extensions["admin"]
    site.add_view(view(name=name, menu_icon_value=icon, endpoint=f"staff_{path.replace('/', '_')}", url=path))
