"""Sets up the staff site: Flask-Admin, and its views in the order of the menu."""

from flask import Flask
from flask_admin import Admin
from flask_admin.theme import Bootstrap4Theme
from flask_babel import lazy_gettext

from userapi.http import bodies, headers
from userapi.transfer import jobs

from . import imports
from .audit_log import AuditView
from .bulk import BulkView
from .dashboard import Dashboard
from .emails import EmailView, OldEmailView
from .groups import GroupView
from .sessions import SessionView
from .users import UserView

#: Bytes that an import form may have besides the file.
FORM_FIELDS = 64 * 1024


def configure(app: Flask) -> None:
    """Put the staff site under `/admin/`."""
    bodies.allow_larger_body(app, "/admin/imports/new/", jobs.max_bytes(app) + FORM_FIELDS)
    site = Admin(
        app,
        name=lazy_gettext("Staff site"),
        index_view=Dashboard(name=lazy_gettext("Overview"), endpoint="admin", url="/admin"),
        theme=Bootstrap4Theme(base_template="admin/frame.html"),
        csp_nonce_generator=headers.get_csp_nonce,
    )
    site.add_views(
        UserView(name=lazy_gettext("Users"), endpoint="staff_users", url="users"),
        GroupView(name=lazy_gettext("Groups"), endpoint="staff_groups", url="groups"),
        SessionView(name=lazy_gettext("Sessions"), endpoint="staff_sessions", url="sessions"),
        EmailView(name=lazy_gettext("Emails"), endpoint="staff_emails", url="emails"),
        OldEmailView(name=lazy_gettext("Emails"), endpoint="staff_outbox", url="outbox"),
        imports.ImportView(name=lazy_gettext("Imports"), endpoint="staff_imports", url="imports"),
        BulkView(name=lazy_gettext("Bulk actions"), endpoint="staff_bulk", url="bulk"),
        AuditView(name=lazy_gettext("Audit log"), endpoint="staff_audit", url="audit"),
    )
