"""Sets up the staff site: Flask-Admin, and its views in the order of the menu."""

from functools import partial

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
from .saved_filters import SavedFilterView
from .sessions import SessionView
from .system import SystemView
from .users import UserView

#: Bytes that an import form may have besides the file.
FORM_FIELDS = 64 * 1024


#: The views in the order of the menu, each with its name, its icon, and its path below `/admin/`.
MENU = (
    (UserView, lazy_gettext("Users"), "users", "users"),
    (GroupView, lazy_gettext("Groups"), "users-group", "groups"),
    (SessionView, lazy_gettext("Sessions"), "device-desktop", "sessions"),
    (EmailView, lazy_gettext("Emails"), "mail", "emails"),
    (imports.ImportView, lazy_gettext("Imports"), "file-import", "imports"),
    (BulkView, lazy_gettext("Bulk actions"), "list-check", "bulk"),
    (AuditView, lazy_gettext("Audit log"), "history", "audit"),
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
        site.add_view(view(name=name, menu_icon_value=icon, endpoint=f"staff_{url}", url=url))
    site.add_view(OldEmailView(name=lazy_gettext("Emails"), endpoint="staff_outbox", url="outbox"))
    site.add_view(SavedFilterView(name=lazy_gettext("Saved filters"), endpoint="staff_filters", url="users/filters"))
