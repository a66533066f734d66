"""What the code of extensions may import. `docs/extending.md` describes it; everything else may change."""

from userapi.audit.audit_log import record
from userapi.core.db import RowId, UTCDateTime, db
from userapi.core.hooks import After, Event, Inside, Rule
from userapi.core.problems import NotFound, PermissionDenied, Problem, ValidationFailed
from userapi.core.scopes import Scope
from userapi.http.fields import Line
from userapi.users.permission_names import PermissionKind

from .access import csrf_token, current_user, may, requires, signed_in, staff
from .blueprint import Blueprint
from .emails import plain_name, send_email, site_url
from .extension import Extension
from .fields import profile_field
from .ids import parse_row_id
from .models import make_metadata
from .staff_views import ANY_STAFF, SUPERUSER, StaffView, page
from .users import User, check_email, find_user, find_user_by_email, list_users

#: What `Extension.subscribers` has: called after an event was committed, and in its transaction.
after, inside = After, Inside

__all__ = [
    "ANY_STAFF",
    "SUPERUSER",
    "After",
    "Blueprint",
    "Event",
    "Extension",
    "Inside",
    "Line",
    "NotFound",
    "PermissionDenied",
    "PermissionKind",
    "Problem",
    "RowId",
    "Rule",
    "Scope",
    "StaffView",
    "UTCDateTime",
    "User",
    "ValidationFailed",
    "after",
    "check_email",
    "csrf_token",
    "current_user",
    "db",
    "find_user",
    "find_user_by_email",
    "inside",
    "list_users",
    "make_metadata",
    "may",
    "page",
    "parse_row_id",
    "plain_name",
    "profile_field",
    "record",
    "requires",
    "send_email",
    "signed_in",
    "site_url",
    "staff",
]
