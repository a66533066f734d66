"""Pages of one user beside the form: the password, sessions, emails and the audit log."""

from typing import Any

from flask import request
from flask_babel import gettext as _

from userapi.auth import api_keys, passwords, sessions
from userapi.auth.caller import get_caller
from userapi.bulk import rules
from userapi.core import clock
from userapi.core.db import commit_on, db
from userapi.core.hooks import Denied
from userapi.core.problems import NotFound, PermissionDenied, ValidationFailed
from userapi.html.flash import flash
from userapi.html.forms import Form, explain
from userapi.http import user_agents
from userapi.security.password_hashing import describe_password_hash
from userapi.transfer import audit_export
from userapi.users import accounts, permissions
from userapi.users.models import User

from . import audit_log, queries, staff_auth, user_forms
from .sessions import first_session
from .views import PAGE_SIZE, StaffView, back_query, staff_page

USER = "/<row_id:user_id>/"

#: The input for the caller's own password, which changes to the caller's own account require.
OWN_PASSWORD = "own_password"  # noqa: S105


class UserPages(StaffView):
    """Pages of one user beside the form."""

    @staff_page(f"{USER}password/", needs="change")
    def show_password(self, user_id: int) -> Any:
        """Show the form to set a password, and how the current one is hashed."""
        _require_proof_for_password_of(user_id)
        return self._show_password(user_id, Form())

    @staff_page(f"{USER}password/", needs="change", methods=("POST",))
    def set_password(self, user_id: int) -> Any:
        """Set a password. All sessions of the user end, API keys are revoked, and an email reports the change."""
        _require_proof_for_password_of(user_id)
        user, me = lock_user(user_id), get_caller().user
        try:
            if user.id == me.id:
                _check_own_password()
            revoked = api_keys.revoke_all(user.id) if user.id != me.id else []
            accounts.set_password(user, user_forms.read_new_password(), field="password1", by=me, revoked_keys=revoked)
            sessions.end_sessions(user, spare=get_caller().session_id if user.id == me.id else None)
            db.session.commit()
        except (ValidationFailed, Denied) as error:
            db.session.rollback()
            return self._show_password(user_id, Form.rejected(error))
        if user.id == me.id:
            flash(_("Your password was changed. Your other sessions were ended."))
        else:
            flash(_("The password for %(email)s was set and all of the user's sessions were ended.", email=user.email))
        return self.redirect_to_user(user_id)

    def _show_password(self, user_id: int, form: Form) -> Any:
        user = find_user(user_id)
        context = {
            "user": user,
            "form": form,
            "kept": describe_password_hash(user.password_hash),
            "is_own": user.id == get_caller().user.id,
            "why_not": explain_lack_of_authority(user),
        }
        return self.render("admin/users/password.html", **context), form.status

    @staff_page(f"{USER}history/", needs="view_event")
    def show_audit_log(self, user_id: int) -> str:
        """Show the audit log of this user."""
        user = find_viewable_user(user_id)
        found = queries.list_events({"kind": "user", "target": str(user_id)}, audit_log.first_id(), PAGE_SIZE)
        return self.render(
            "admin/users/audit_log.html", user=user, page=found, names=audit_export.find_emails(found.rows)
        )

    @staff_page(f"{USER}sessions/", needs="view_session")
    def show_sessions(self, user_id: int) -> str:
        """List the sessions of this user."""
        user, now = find_viewable_user(user_id), clock.now()
        found = queries.list_session_page({"user": user_id}, first_session(), PAGE_SIZE, now, sessions.idle_since(now))
        return self.render("admin/users/sessions.html", user=user, page=found, describe=user_agents.describe_user_agent)

    @staff_page(f"{USER}emails/", needs="view_email")
    def show_emails(self, user_id: int) -> str:
        """List the emails to this user, at the current and all earlier addresses."""
        user = find_viewable_user(user_id)
        found = queries.list_emails({"user": user_id}, audit_log.first_id(), PAGE_SIZE)
        return self.render("admin/users/emails.html", user=user, page=found)

    def render(self, template: str, **context: Any) -> str:
        """Render a page; where it is about a user, with what the caller may do to that user."""
        user: User | None = context.get("user")
        if user is not None:
            has_authority = not explain_lack_of_authority(user)
            possible = rules.list_possible_actions(user, get_caller().user) if has_authority else []
            context |= {"has_authority": has_authority, "possible_actions": possible}
        return super().render(template, **context)

    def redirect_to_user(self, user_id: int, page: str = "show") -> Any:
        """Redirect to a page of the user, which keeps the filters of the list."""
        return self.redirect_to(page, user_id=user_id, back=back_query() or None)


def _require_proof_for_password_of(user_id: int) -> None:
    """Require a recent proof of identity, except for the caller's own account, whose current password is required."""
    if user_id != get_caller().user.id:
        staff_auth.require_fresh_proof()


def _check_own_password() -> None:
    """Check the caller's own password in the submitted form.

    Raises:
        ValidationFailed: it is missing or wrong, naming the field.
    """
    password = request.form.get(OWN_PASSWORD, "")
    if not password:
        raise ValidationFailed(errors={OWN_PASSWORD: [_("Enter your password to continue.")]})
    with commit_on(ValidationFailed):
        passwords.check_and_lock(get_caller().user.id, password, field=OWN_PASSWORD)


def find_user(user_id: int) -> User:
    """Read a user with groups and permissions.

    Raises:
        NotFound: there is none with this ID.
    """
    user = queries.read_user(user_id)
    if user is None:
        raise NotFound(_("There is no user with this id."))
    return user


def find_viewable_user(user_id: int) -> User:
    """Read a user for a page that needs another permission, but also says who the user is."""
    staff_auth.require("view", "user")
    return find_user(user_id)


def explain_lack_of_authority(user: User) -> str:
    """Why the caller may not change or delete this user; empty if the caller may."""
    try:
        permissions.require_authority(user, get_caller().user)
    except PermissionDenied as denied:
        return explain(denied)
    return ""


def lock_user(user_id: int, needs: str = permissions.CHANGE_USER) -> User:
    """Lock a user whom the caller may change, or delete."""
    return accounts.lock(user_id, by=get_caller().user, permission=needs)
