"""Groups and their permissions."""

from typing import Any

from flask import request
from flask_babel import gettext as _
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from userapi.auth.caller import get_caller
from userapi.core.db import db
from userapi.core.problems import Problem
from userapi.html.flash import flash
from userapi.html.forms import Form
from userapi.http.fields import Line
from userapi.users import group_queries, groups, permissions
from userapi.users.models import ACTIONS, KINDS

from . import staff_auth
from .views import StaffView, selected_ids, staff_page, take_saved_form

GROUP = "/<row_id:group_id>/"

MAX_LISTED_MEMBERS = 20

name_field = Line(150, 1)


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

    @staff_page("/new/", needs="add", methods=("POST",))
    def add(self) -> Any:
        """Create a group."""
        form = _form(request.form)
        try:
            group = groups.create(_name(form), form.values["permissions"], by=get_caller().user)
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
        stored = Form({"name": group.name, "permissions": permissions, "version": _version(group)})
        saved = take_saved_form() if staff_auth.may("change", "group") else None
        return self._show(group_id, _form(saved) if saved else stored)

    @staff_page(GROUP, needs="change", methods=("POST",))
    def edit(self, group_id: int) -> Any:
        """Save a group, unless someone else has changed it since the form was opened."""
        form, group = _form(request.form), groups.lock(group_id)
        try:
            if form.values["version"] != _version(group):
                form.values["version"] = _version(group)
                raise groups.GroupChanged
            groups.edit(group, _name(form), form.values["permissions"], by=get_caller().user)
            db.session.commit()
        except (Problem, ValidationError) as error:
            return self._show_rejected(group_id, form, error)
        flash(_("The group %(name)s was saved.", name=group.name))
        return self.redirect_to("show_list")

    @staff_page(f"{GROUP}delete/", needs="delete")
    def show_delete(self, group_id: int) -> str:
        """Show which members would lose which permissions."""
        group = groups.find(group_id)
        members = group_queries.members(group_id, MAX_LISTED_MEMBERS)
        count = group_queries.member_counts().get(group_id, 0)
        return self.render("admin/groups/delete.html", group=group, members=members, count=count)

    @staff_page(f"{GROUP}delete/", needs="delete", methods=("POST",))
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
            kinds=KINDS,
            verbs=ACTIONS,
            held=permissions.get_permissions(get_caller().user),
        ), form.status


def _form(sent: MultiDict[str, str]) -> Form:
    texts = {name: sent.get(name, "") for name in ("name", "version")}
    return Form({**texts, "permissions": selected_ids("permissions", sent)})


def _name(form: Form) -> str:
    try:
        name: str = name_field.deserialize(form.values["name"])
    except ValidationError as error:
        raise ValidationError({"name": error.messages}) from error
    return name.strip()


def _version(group: Any) -> str:
    return f"{group.name}:{','.join(str(permission.id) for permission in group.permissions)}"
