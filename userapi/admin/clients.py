"""Client applications of the OpenID provider: which may sign users in here, what they may do, and their secrets."""

from typing import Any

from flask import current_app, request
from flask_babel import gettext as _

from userapi.auth import sessions
from userapi.auth.caller import get_caller
from userapi.core import clock
from userapi.core.db import db
from userapi.core.problems import NotFound, Problem
from userapi.html.flash import flash
from userapi.html.forms import Form
from userapi.openid import client_checks, clients, queries, usage_queries
from userapi.openid.models import ClientKind
from userapi.openid.openid_tokens import Algorithm
from userapi.openid.problems import ClientChanged, NoSecret
from userapi.outbound import queries as notice_queries
from userapi.users import queries as user_queries

from . import client_form, staff_auth
from .client_notices import CLIENT, NoticePages, read_notices
from .views import staff_page, store_result, take_saved_form

#: How long the previous secret can be accepted after a rotation, in seconds.
GRACES = (0, 3600, clients.DEFAULT_GRACE, clients.MAX_GRACE)


class ClientView(NoticePages):
    """Client applications."""

    @staff_page("/", needs="view")
    def show_list(self) -> str:
        """List clients, and how many users have access with each."""
        found, users = queries.list_clients(), usage_queries.count_users_of_all()
        return self._render("list", clients=found, users=users)

    @staff_page("/new/", needs="add")
    def choose_kind(self) -> str:
        """Show the kinds of clients, which lead to the form of a new one."""
        return self._render("kinds")

    @staff_page("/new/<kind>/", needs="add")
    def show_new(self, kind: str) -> Any:
        """Show the form of a new client."""
        chosen, saved = _parse_kind(kind), take_saved_form()
        form = client_form.read_form(chosen, saved) if saved else client_form.new_form(chosen)
        return self._show_form(None, chosen, form)

    @staff_page("/new/<kind>/", needs="add", methods=("POST",), fresh=True)
    def add(self, kind: str) -> Any:
        """Create a client, and show its secret this once: it is not stored."""
        chosen = _parse_kind(kind)
        form = client_form.read_form(chosen, request.form)
        try:
            created = clients.create(chosen, **client_form.read_values(chosen, form), by=get_caller().user)
            db.session.commit()
        except Problem as problem:
            return self._show_rejected(None, chosen, form, problem)
        if created.secret is None:
            flash(_("The client application was created."))
            return self.redirect_to("show", client_id=created.client.id)
        return self._show_secret(created.client.id, created.secret)

    @staff_page(CLIENT, needs="view")
    def show(self, client_id: str) -> str:
        """Show a client and its sign-out notices."""
        client = clients.find(client_id)
        return self._render(
            "show",
            client=client,
            users=usage_queries.count_users(client_id),
            previous_is_accepted=client.previous_secret_until is not None
            and client.previous_secret_until > clock.now(),
            makers=user_queries.find_emails({client.maker_id} - {None}) if staff_auth.may("view", "user") else {},
            **read_notices(client_id),
        )

    @staff_page(f"{CLIENT}edit/", needs="change")
    def show_edit(self, client_id: str) -> Any:
        """Show the form of a client."""
        client, saved = self._find_to_change(client_id), take_saved_form()
        kind = ClientKind(client.kind)
        return self._show_form(
            client, kind, client_form.read_form(kind, saved) if saved else client_form.form_of_client(client)
        )

    @staff_page(f"{CLIENT}edit/", needs="change", methods=("POST",), fresh=True)
    def edit(self, client_id: str) -> Any:
        """Save a client, unless someone else has changed it since the form was opened."""
        client = clients.find(client_id)
        kind = ClientKind(client.kind)
        form = client_form.read_form(kind, request.form)
        try:
            values, version = client_form.read_values(kind, form), form.values["version"]
            clients.change(client_id, values, by=get_caller().user, version=version)
            db.session.commit()
        except ClientChanged as problem:
            form.values["version"] = clients.make_version(clients.find(client_id))
            return self._show_rejected(client, kind, form, problem)
        except Problem as problem:
            return self._show_rejected(client, kind, form, problem)
        flash(_("The client application was saved."))
        return self.redirect_to("show", client_id=client_id)

    @staff_page(f"{CLIENT}secret/", needs="change")
    def show_rotate(self, client_id: str) -> str:
        """Show the form that replaces the secret of a client."""
        client = self._find_to_change(client_id)
        if not client_checks.is_confidential(client.kind):
            raise NoSecret
        return self._render("rotate", client=client, graces=GRACES, default_grace=clients.DEFAULT_GRACE)

    @staff_page(f"{CLIENT}secret/", needs="change", methods=("POST",), fresh=True)
    def rotate(self, client_id: str) -> Any:
        """Replace the secret of a client, and show the new one this once."""
        chosen = request.form.get("grace", "")
        grace = next((each for each in GRACES if str(each) == chosen), clients.DEFAULT_GRACE)
        secret = clients.rotate_secret(client_id, grace, by=get_caller().user)
        db.session.commit()
        return self._show_secret(client_id, secret)

    @staff_page(f"{CLIENT}disable/", needs="change", methods=("POST",))
    def disable(self, client_id: str) -> Any:
        """Reject a client and its tokens."""
        clients.set_active(client_id, is_active=False, by=get_caller().user)
        db.session.commit()
        flash(_("The client application was disabled. Its tokens are rejected."))
        return self.redirect_to("show", client_id=client_id)

    @staff_page(f"{CLIENT}enable/", needs="change", methods=("POST",))
    def enable(self, client_id: str) -> Any:
        """Accept a client and its tokens again."""
        clients.set_active(client_id, is_active=True, by=get_caller().user)
        db.session.commit()
        flash(_("The client application was enabled. Its tokens are accepted again."))
        return self.redirect_to("show", client_id=client_id)

    @staff_page(f"{CLIENT}delete/", needs="delete")
    def show_delete(self, client_id: str) -> str:
        """Show what ends with a client."""
        client, now = self._find_to_change(client_id), clock.now()
        return self._render(
            "delete",
            client=client,
            users=usage_queries.count_users(client_id),
            signed_in=usage_queries.count_signed_in(client_id, now, sessions.idle_since(now)),
            queued=notice_queries.count_queued(client_id),
        )

    @staff_page(f"{CLIENT}delete/", needs="delete", methods=("POST",), fresh=True)
    def delete(self, client_id: str) -> Any:
        """Delete a client."""
        clients.delete(client_id, by=get_caller().user)
        db.session.commit()
        flash(_("The client application was deleted."))
        return self.redirect_to("show_list")

    def _find_to_change(self, client_id: str) -> Any:
        return clients.find(client_id, to_change_by=get_caller().user)

    def _show_secret(self, client_id: str, secret: str) -> str:
        text = str(_("A client secret is shown only once. If you have not saved it, replace it by a new one."))
        store_result(self.get_url(".show", client_id=client_id), [["warning", text]])
        return self._render("secret", client=clients.find(client_id), secret=secret)

    def _show_rejected(self, client: Any, kind: ClientKind, form: Form, problem: Problem) -> Any:
        db.session.rollback()
        client_form.reject(form, problem)
        return self._show_form(client, kind, form)

    def _show_form(self, client: Any, kind: ClientKind, form: Form) -> Any:
        return self._render(
            "edit",
            client=client,
            kind=kind,
            form=form,
            fields=client_form.fields_of(kind),
            allowed_grants={grant.value: client_form.GRANTS[grant] for grant in client_checks.ALLOWED_GRANTS[kind]},
            scope_texts=client_form.SCOPES,
            algorithms=list(Algorithm),
        ), form.status

    def _render(self, name: str, **context: Any) -> str:
        """Render a page with what all pages of clients get."""
        return self.render(
            f"admin/clients/{name}.html",
            kinds=client_form.KINDS,
            grant_names=client_form.GRANTS,
            token_auths=client_form.TOKEN_AUTHS,
            may_change=lambda client: clients.may_change(client, get_caller().user),
            issuer=current_app.config["SITE_URL"],
            **context,
        )


def _parse_kind(text: str) -> ClientKind:
    """A kind of clients.

    Raises:
        NotFound: there is none.
    """
    if text not in list(ClientKind):
        raise NotFound
    return ClientKind(text)
