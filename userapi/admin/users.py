"""Users: the list, and the forms to add, edit and delete one."""

from typing import Any

from flask import request
from flask_babel import gettext as _
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from userapi.auth import mailed_code_requests, sessions
from userapi.auth.caller import get_caller
from userapi.core import clock, i18n
from userapi.core.db import commit_on, db
from userapi.core.hooks import Denied
from userapi.core.problems import Problem, ProofNeeded, ValidationFailed
from userapi.html.flash import flash
from userapi.html.forms import Form
from userapi.users import (
    account_edits,
    accounts,
    email_verification,
    group_queries,
    groups,
    permission_names,
    permissions,
    saved_filters,
)
from userapi.users.group_models import ACTIONS
from userapi.users.models import User
from userapi.users.problems import AccountHeld, LastSuperuser, WrongPassword
from userapi.users.schemas import UserEditSchema

from . import labels, profile_filters, staff_auth, user_actions, user_columns, user_forms, user_list
from . import queries as staff_queries
from .user_forms import ACCESS, PROFILE, UserForm
from .user_pages import OWN_PASSWORD, USER, explain_lack_of_authority, find_user, lock_user
from .user_restore_links import RestoreLinkPages
from .views import back_query, current_query, staff_page, take_saved_form

#: The users of a country are counted up to this number.
MAX_COUNTED = 1000

#: The country filter is a select for up to this many countries, otherwise a text input.
MAX_COUNTRIES = 250

edit_schema = UserEditSchema()


class UserView(RestoreLinkPages):
    """Users."""

    kind = "user"

    @staff_page("/", needs="view")
    def show_list(self) -> str:
        """List users, with search, filters and order. All pages cost the same, because they use cursors."""
        listing = user_list.read_list(request.args)
        found, columns = listing.read(), user_columns.get_columns()
        return self.render(
            "admin/users/list.html",
            **found,
            second_steps=user_columns.read_second_steps(found["page"].rows) if "second_step" in columns else {},
            profile_filters=profile_filters.list_controls(),
            saved_filters=saved_filters.list_saved(get_caller().user.id),
            max_counted=MAX_COUNTED,
            groups=group_queries.all_groups(),
            countries=_list_countries(listing.texts.get("country", "")),
            actions=user_actions.allowed_actions(),
            query=current_query(),
            columns=columns,
            all_columns=user_columns.list_columns(),
            describe_field=user_columns.describe_field,
        )

    @staff_page("/columns/", needs="view", methods=("POST",))
    def choose_columns(self) -> Any:
        """Remember which columns the list shows."""
        response = self.redirect_to_list(request.form.get("query", ""))
        return user_columns.remember_columns(response, request.form.getlist("columns"))

    @staff_page("/act/", needs="view", methods=("POST",))
    def act(self) -> Any:
        """Run an action on many users."""
        return user_actions.run_action(self)

    @staff_page("/new/", needs="add")
    def show_new(self) -> Any:
        """Show the first of two steps: email, language and password."""
        saved = take_saved_form()
        return self._show_new(user_forms.new_user_form(saved or MultiDict({"language": i18n.get_default_language()})))

    @staff_page("/new/", needs="add", methods=("POST",))
    def add(self) -> Any:
        """Create an account, and continue with the other fields."""
        form = user_forms.new_user_form(request.form)
        try:
            fields, password = user_forms.read_new_user(edit_schema, form.values)
            user = accounts.create(fields["email"], password, language=fields["language"], by=get_caller().user)
            email_verification.send_verification_email(user)
            db.session.commit()
        except (ValidationFailed, ValidationError, Denied) as error:
            db.session.rollback()
            form.reject(error)
            return self._show_new(form)
        if "another" in request.form:
            flash(_("%(email)s was added.", email=user.email))
            return self.redirect_to("show_new", back=back_query() or None)
        flash(_("%(email)s was added. You can fill in the other details now.", email=user.email))
        return self.redirect_to_user(user.id) if staff_auth.may("view", "user") else self.redirect_to("show_new")

    def _show_new(self, form: Form) -> Any:
        return self.render("admin/users/new.html", form=form), form.status

    @staff_page(USER, needs="view")
    def show(self, user_id: int) -> Any:
        """Show a user's names, email and profile, with a form for staff who may change it."""
        return self._show_part(user_id, PROFILE)

    @staff_page(f"{USER}access/", needs="view")
    def show_access(self, user_id: int) -> Any:
        """Show what a user may do, with a form for staff who may change it."""
        return self._show_part(user_id, ACCESS)

    def _show_part(self, user_id: int, part: str) -> Any:
        user = find_user(user_id)
        saved = take_saved_form() if staff_auth.may("change", "user") else None
        me = get_caller().user
        return self._show(UserForm(user, part, me, saved, account_edits.editable_fields(user, me)))

    @staff_page(USER, needs="change", methods=("POST",))
    def edit(self, user_id: int) -> Any:
        """Save names, email and profile, unless someone else has changed the user since the form was opened."""
        return self._edit_part(user_id, PROFILE)

    @staff_page(f"{USER}access/", needs="change", methods=("POST",))
    def edit_access(self, user_id: int) -> Any:
        """Save what the user may do, unless someone else has changed the user since the form was opened."""
        return self._edit_part(user_id, ACCESS)

    def _edit_part(self, user_id: int, part: str) -> Any:
        me = get_caller().user
        user = lock_user(user_id)
        form = UserForm(user, part, me, request.form, account_edits.editable_fields(user, me))
        if form.is_stale:
            db.session.rollback()
            return self._show(form)
        try:
            changes = edit_schema.load(form.changes())
            if form.changes_memberships or account_edits.is_sensitive(user, changes, me):
                staff_auth.require_fresh_proof()
            memberships = _group_names(user)
            with commit_on(WrongPassword):
                account_edits.edit(
                    user,
                    changes,
                    by=me,
                    password=request.form.get(OWN_PASSWORD),
                    password_field=OWN_PASSWORD,
                )
            joined, left = _group_names(user) - memberships, memberships - _group_names(user)
            groups.set_memberships(user, *form.selected_permissions(user), by=me)
            db.session.commit()
        except ProofNeeded:
            raise
        except (Problem, ValidationError) as error:
            db.session.rollback()
            form.reject(error)
            return self._show(form)
        flash(_("%(email)s was saved.", email=user.email))
        _flash_memberships(joined, left)
        is_promoted = changes.get("is_staff") or changes.get("is_superuser")
        if is_promoted and (warning := mailed_code_requests.warn_staff_without_password(user)):
            flash(warning, "warning")
        if user.pending_email and "email" in changes:
            flash(_("To confirm your new email, use the link that we sent to %(email)s.", email=user.pending_email))
        if "another" in request.form and staff_auth.may("add", "user"):
            return self.redirect_to("show_new", back=back_query() or None)
        if "go_on" not in request.form:
            return self.redirect_to_list(back_query())
        return self.redirect_to_user(user_id, form.page)

    def _show(self, form: UserForm) -> Any:
        user, me = find_user(form.user_id), get_caller().user
        why_not = explain_lack_of_authority(user) if staff_auth.may("change", "user") else ""
        may_edit = staff_auth.may("change", "user") and not why_not
        may_set = account_edits.editable_fields(user, me) if may_edit else frozenset()
        return self.render(
            f"admin/users/{form.part}.html",
            form=form,
            user=user,
            may_set=may_set,
            profile_inputs=form.list_profile_inputs(may_edit="profile" in may_set),
            why_not=why_not,
            all_groups=group_queries.all_groups(),
            permission_ids={permission.codename: permission.id for permission in group_queries.all_permissions()},
            kinds=permission_names.get_kinds(),
            verbs=ACTIONS,
            held=permissions.get_permissions(me),
            is_own=user.id == me.id,
        ), form.status

    @staff_page(f"{USER}delete/", needs="delete")
    def show_delete(self, user_id: int) -> Any:
        """Show what is deleted with a user, and what is kept."""
        return self._show_delete(user_id, Form())

    @staff_page(f"{USER}delete/", needs="delete", methods=("POST",), fresh=True)
    def delete(self, user_id: int) -> Any:
        """Delete a user."""
        user = lock_user(user_id, permissions.DELETE_USER)
        email = user.email
        try:
            accounts.delete(user, by=get_caller().user)
            db.session.commit()
        except Problem as error:
            db.session.rollback()
            return self._show_delete(user_id, Form.rejected(error))
        flash(_("%(email)s was deleted.", email=email))
        return self.redirect_to_list(back_query())

    def _show_delete(self, user_id: int, form: Form) -> Any:
        user = find_user(user_id)
        now = clock.now()
        parts = staff_queries.count_data_of_user(user_id, now, sessions.idle_since(now))
        counts = {labels.DATA_OF_USERS[data]: count for data, count in parts.items()}
        context = {"user": user, "form": form, "counts": counts}
        context["why_not"] = (
            explain_lack_of_authority(user)
            or (AccountHeld.detail if user.held_reason is not None else "")
            or (LastSuperuser.detail if accounts.is_last_superuser(user) else "")
        )
        return self.render("admin/users/delete.html", **context), form.status


def _group_names(user: User) -> set[str]:
    return {group.name for group in user.groups}


def _flash_memberships(joined: set[str], left: set[str]) -> None:
    """Say which group a user joined by becoming staff, or left by no longer being staff."""
    for name in joined:
        flash(_("This user is now staff, so they joined the group %(group)s and have its permissions.", group=name))
    for name in left:
        flash(_("This user is no longer staff, so they left the group %(group)s.", group=name))


def _list_countries(selected: str) -> list[tuple[str, int]]:
    """The countries of the filter and their number of users; none if there are too many for a select."""
    found = staff_queries.count_by_country(MAX_COUNTRIES + 1, MAX_COUNTED + 1)
    if len(found) > MAX_COUNTRIES:
        return []
    if selected and selected not in dict(found):
        found.append((selected, 0))
    return sorted(found, key=lambda country: country[0].casefold())
