"""Groups and their permissions."""

from typing import Any

from flask import request
from flask_babel import gettext as _
from flask_babel import ngettext
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from userapi.auth.caller import get_caller
from userapi.auth.claims import parse_id
from userapi.core.db import db
from userapi.core.problems import Problem, ValidationFailed
from userapi.html.flash import flash
from userapi.html.forms import Form
from userapi.users import accounts, email_address, group_queries, groups, permission_names, permissions
from userapi.users import queries as user_queries
from userapi.users.group_models import ACTIONS, Group

from . import staff_auth
from .queries import ListPage
from .views import PAGE_SIZE, StaffView, selected_ids, staff_page, take_saved_form

GROUP = "/<row_id:group_id>/"

MAX_LISTED_MEMBERS = 20

#: Members that one request removes.
MAX_REMOVED_MEMBERS = 100


class GroupView(StaffView):
    """Groups."""

    kind = "group"

    @staff_page("/", needs="view")
    def show_list(self) -> str:
        """List groups with their permissions and number of members."""
        facts = {"groups": group_queries.all_groups(), "members": group_queries.member_counts()}
        return self.render("admin/groups/list.html", **facts)

    @staff_page("/new/", needs="add")
    def show_new(self) -> Any:
        """Show the form of a new group."""
        return self._show(None, _form(take_saved_form() or MultiDict()))

    @staff_page("/new/", needs="add", methods=("POST",), fresh=True)
    def add(self) -> Any:
        """Create a group."""
        form = _form(request.form)
        try:
            group = groups.create(
                _name(form),
                form.values["permissions"],
                by=get_caller().user,
                requires_second_step=form.values["requires_second_step"],
            )
            db.session.commit()
        except (Problem, ValidationError) as error:
            return self._show_rejected(None, form, error)
        flash(_("The group %(name)s was created.", name=group.name))
        return self.redirect_to("show_list")

    @staff_page(GROUP, needs="view")
    def show(self, group_id: int) -> Any:
        """Show a group, with a form for staff who may change it."""
        group = groups.find(group_id)
        permissions = [permission.id for permission in group.permissions]
        stored = Form(
            {
                "name": group.name,
                "permissions": permissions,
                "requires_second_step": group.requires_second_step,
                "version": _version(group),
            }
        )
        saved = take_saved_form() if staff_auth.may("change", "group") else None
        return self._show(group_id, _form(saved) if saved else stored)

    @staff_page(GROUP, needs="change", methods=("POST",), fresh=True)
    def edit(self, group_id: int) -> Any:
        """Save a group, unless someone else has changed it since the form was opened."""
        form, group = _form(request.form), groups.lock(group_id)
        try:
            if form.values["version"] != _version(group):
                form.values["version"] = _version(group)
                raise groups.GroupChanged
            groups.edit(
                group,
                _name(form),
                form.values["permissions"],
                by=get_caller().user,
                requires_second_step=form.values["requires_second_step"],
            )
            db.session.commit()
        except (Problem, ValidationError) as error:
            return self._show_rejected(group_id, form, error)
        flash(_("The group %(name)s was saved.", name=group.name))
        return self.redirect_to("show_list")

    @staff_page(f"{GROUP}members/", needs="view_user")
    def show_members(self, group_id: int) -> Any:
        """List the members, with a form to add one for staff who may change users."""
        return self._show_members(group_id, Form({"email": ""}))

    @staff_page(f"{GROUP}members/", needs="change_user", methods=("POST",), fresh=True)
    def add_member(self, group_id: int) -> Any:
        """Add a user to the group, found by email."""
        form, group, me = Form({"email": request.form.get("email", "")}), groups.find(group_id), get_caller().user
        try:
            user = accounts.lock(_find_user_id(form.values["email"]), by=me)
            is_new = groups.add_member(user, group, by=me)
            db.session.commit()
        except Problem as problem:
            db.session.rollback()
            form.reject(problem)
            return self._show_members(group_id, form)
        if is_new:
            flash(_("%(email)s is now a member of the group %(name)s.", email=user.email, name=group.name))
        else:
            flash(
                _("%(email)s is already a member of the group %(name)s.", email=user.email, name=group.name), "warning"
            )
        return self.redirect_to("show_members", group_id=group_id)

    @staff_page(f"{GROUP}members/remove/", needs="change_user", methods=("POST",), fresh=True)
    def remove_members(self, group_id: int) -> Any:
        """Remove the selected users from the group, or none of them after an error."""
        group, me, ids = groups.find(group_id), get_caller().user, selected_ids("user")
        if not 0 < len(ids) <= MAX_REMOVED_MEMBERS:
            flash(
                ngettext(
                    "Select between 1 and %(num)s user.", "Select between 1 and %(num)s users.", MAX_REMOVED_MEMBERS
                ),
                "warning",
            )
            return self.redirect_to("show_members", group_id=group_id)
        try:
            removed = sum(groups.remove_member(accounts.lock(user_id, by=me), group, by=me) for user_id in ids)
            db.session.commit()
        except Problem as problem:
            db.session.rollback()
            return self._show_members(group_id, Form.rejected(problem, {"email": ""}))
        flash(ngettext("%(num)s member was removed.", "%(num)s members were removed.", removed))
        return self.redirect_to("show_members", group_id=group_id)

    def _show_members(self, group_id: int, form: Form) -> Any:
        group = groups.find(group_id)
        rows = group_queries.members(group_id, PAGE_SIZE + 1, parse_id(request.args.get("before", "")))
        page = ListPage(rows[:PAGE_SIZE], str(rows[PAGE_SIZE - 1].id) if len(rows) > PAGE_SIZE else None)
        may_change = staff_auth.may("change", "user") and _is_held_by_caller(group)
        count = group_queries.member_counts().get(group_id, 0)
        return self.render(
            "admin/groups/members.html", group=group, form=form, page=page, count=count, may_change=may_change
        ), form.status

    @staff_page(f"{GROUP}delete/", needs="delete")
    def show_delete(self, group_id: int) -> str:
        """Show which members would lose which permissions."""
        group = groups.find(group_id)
        members = group_queries.members(group_id, MAX_LISTED_MEMBERS)
        count = group_queries.member_counts().get(group_id, 0)
        return self.render("admin/groups/delete.html", group=group, members=members, count=count)

    @staff_page(f"{GROUP}delete/", needs="delete", methods=("POST",), fresh=True)
    def delete(self, group_id: int) -> Any:
        """Delete a group."""
        group = groups.lock(group_id)
        name = group.name
        groups.delete(group, by=get_caller().user)
        db.session.commit()
        flash(_("The group %(name)s was deleted.", name=name))
        return self.redirect_to("show_list")

    def _show_rejected(self, group_id: int | None, form: Form, error: Problem | ValidationError) -> Any:
        db.session.rollback()
        form.reject(error)
        return self._show(group_id, form)

    def _show(self, group_id: int | None, form: Form) -> Any:
        return self.render(
            "admin/groups/edit.html",
            group=None if group_id is None else groups.find(group_id),
            form=form,
            may_save=staff_auth.may("add" if group_id is None else "change", "group"),
            permission_ids={permission.codename: permission.id for permission in group_queries.all_permissions()},
            built_in=group_queries.STAFF,
            kinds=permission_names.get_kinds(),
            verbs=ACTIONS,
            held=permissions.get_permissions(get_caller().user),
        ), form.status


def _is_held_by_caller(group: Group) -> bool:
    """Whether the caller has all permissions of a group, and so may add and remove its members."""
    return {permission.codename for permission in group.permissions} <= permissions.get_permissions(get_caller().user)


def _find_user_id(email: str) -> int:
    """The ID of the user with this email.

    Raises:
        ValidationFailed: there is none.
    """
    key = email_address.find_account_key(email)
    user_id = user_queries.find_id(key) if key else None
    if user_id is None:
        raise ValidationFailed(errors={"email": [_("There is no user with this email.")]})
    return user_id


def _form(sent: MultiDict[str, str]) -> Form:
    texts = {name: sent.get(name, "") for name in ("name", "version")}
    is_required = bool(sent.get("requires_second_step"))
    return Form({**texts, "permissions": selected_ids("permissions", sent), "requires_second_step": is_required})


def _name(form: Form) -> str:
    try:
        name: str = groups.name_field.deserialize(form.values["name"])
    except ValidationError as error:
        raise ValidationError({"name": error.messages}) from error
    return name.strip()


def _version(group: Any) -> str:
    permissions = ",".join(str(permission.id) for permission in group.permissions)
    return f"{group.name}:{permissions}:{int(group.requires_second_step)}"
