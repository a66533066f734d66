"""Service accounts and their API keys, for superusers. What else users have is on the page of the user."""

import uuid
from datetime import timedelta
from typing import Any

from flask import request
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from marshmallow import ValidationError, fields, validate

from userapi.auth import api_keys, scope_texts
from userapi.auth.api_key_schemas import NewKeyFormSchema
from userapi.auth.caller import get_caller
from userapi.core import clock
from userapi.core.db import db
from userapi.core.problems import Problem
from userapi.core.scopes import Scope
from userapi.html.flash import flash
from userapi.html.forms import Form
from userapi.http.fields import choice_check
from userapi.users import service_accounts

from . import staff_auth
from .views import SUPERUSER, StaffView, staff_page, store_result

ACCOUNT = "/<row_id:user_id>/"

#: How many days a key can be valid for, if the maximum lifetime allows it.
LIFETIMES = (7, 30, 90, 180, 365)


class NewKeySchema(NewKeyFormSchema):
    """The form that creates an API key of a service account."""

    scopes = fields.List(
        fields.String(validate=choice_check([scope.value for scope in Scope])),
        validate=validate.Length(1, error=lazy_gettext("Select what the key can be used for.")),
    )


new_key_schema = NewKeySchema()


class ServiceAccountView(StaffView):
    """Service accounts."""

    def is_accessible(self) -> bool:
        """Whether the menu shows this: only superusers see it."""
        return staff_auth.is_superuser()

    @staff_page("/", needs=SUPERUSER)
    def show_list(self) -> Any:
        """List the service accounts, with a form that creates one."""
        return self._show_list(Form({"name": ""}))

    @staff_page("/", needs=SUPERUSER, methods=("POST",), fresh=True)
    def add(self) -> Any:
        """Create a service account."""
        form = Form({"name": request.form.get("name", "").strip()})
        try:
            user = service_accounts.create(form.values["name"], by=get_caller().user)
            db.session.commit()
        except Problem as problem:
            db.session.rollback()
            form.reject(problem)
            return self._show_list(form)
        flash(_("The service account %(name)s was created.", name=form.values["name"]))
        return self.redirect_to("show", user_id=user.id)

    def _show_list(self, form: Form) -> Any:
        found = [(row, service_accounts.name_of(row)) for row in service_accounts.list_accounts()]
        return self.render("admin/service_accounts/list.html", accounts=found, form=form), form.status

    @staff_page(ACCOUNT, needs=SUPERUSER)
    def show(self, user_id: int) -> Any:
        """Show a service account and its API keys, with a form that creates one."""
        return self._show(user_id, Form({"name": "", "scopes": [], "days": "", "addresses": ""}))

    @staff_page(ACCOUNT, needs=SUPERUSER, methods=("POST",), fresh=True)
    def create_key(self, user_id: int) -> Any:
        """Create an API key, and show it this once: it is not stored."""
        sent = request.form
        typed = {name: sent.get(name, "") for name in ("name", "days", "addresses")}
        form = Form({**typed, "scopes": sent.getlist("scopes")})
        try:
            new = new_key_schema.load(form.values)
            new["expires_at"] = clock.now() + timedelta(days=new.pop("days"))
            user = service_accounts.lock(user_id, by=get_caller().user)
            created = api_keys.create_key(user, amr=api_keys.OF_OPERATOR, **new)
            db.session.commit()
        except (Problem, ValidationError) as problem:
            db.session.rollback()
            form.reject(problem)
            return self._show(user_id, form)
        return self._show_created(user_id, created)

    @staff_page(f"{ACCOUNT}keys/<uuid:key_id>/rotate/", needs=SUPERUSER, methods=("POST",), fresh=True)
    def rotate_key(self, user_id: int, key_id: uuid.UUID) -> Any:
        """Replace an API key by a new one, and show that this once. The replaced one works for another day."""
        user = service_accounts.lock(user_id, by=get_caller().user)
        created = api_keys.rotate_key(key_id, user, amr=api_keys.OF_OPERATOR, overlap=timedelta(days=1))
        db.session.commit()
        return self._show_created(user_id, created)

    @staff_page(f"{ACCOUNT}keys/<uuid:key_id>/revoke/", needs=SUPERUSER, methods=("POST",))
    def revoke_key(self, user_id: int, key_id: uuid.UUID) -> Any:
        """Revoke an API key."""
        api_keys.revoke_key(key_id, service_accounts.lock(user_id, by=get_caller().user).id)
        db.session.commit()
        flash(_("The API key was revoked. It stopped working immediately."))
        return self.redirect_to("show", user_id=user_id)

    def _show(self, user_id: int, form: Form) -> Any:
        account = service_accounts.read(user_id)
        longest = api_keys.max_lifetime().days
        return self.render(
            "admin/service_accounts/show.html",
            account=account,
            name=service_accounts.name_of(account),
            keys=[api_keys.describe_key(row) for row in api_keys.list_keys(user_id)],
            scopes={scope: scope_texts.get_title_for_staff(scope) for scope in Scope},
            scope_title=scope_texts.get_title_for_staff,
            lifetimes=[*(days for days in LIFETIMES if days < longest), longest] if longest else [],
            default_days=min(api_keys.DEFAULT_LIFETIME.days, longest),
            form=form,
        ), form.status

    def _show_created(self, user_id: int, created: api_keys.Created) -> str:
        text = str(_("An API key is shown only once. If you have not saved it, replace it by a new one."))
        store_result(self.get_url(".show", user_id=user_id), [["warning", text]])
        account = service_accounts.read(user_id)
        name = service_accounts.name_of(account)
        return self.render("admin/service_accounts/created.html", account=account, name=name, key=created.key)
