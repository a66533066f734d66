"""Invitations: the list, the form that sends one, and the buttons that send again and revoke."""

from typing import Any

from flask import request
from flask_babel import gettext as _
from marshmallow import ValidationError

from userapi.auth.caller import get_caller
from userapi.auth.claims import parse_id
from userapi.core import clock, i18n
from userapi.core.db import db
from userapi.core.problems import Problem, ProofNeeded
from userapi.html.flash import flash
from userapi.html.forms import Form, explain
from userapi.invitations import queries, sending
from userapi.invitations.models import Invitation, State, state_of
from userapi.invitations.problems import InvitationEnded
from userapi.invitations.schemas import NewInvitationSchema
from userapi.invitations.sending import NewInvitation
from userapi.users import group_queries, registration
from userapi.users import queries as user_queries

from . import filters, staff_auth
from .views import PAGE_SIZE, StaffView, page_query, staff_page, take_saved_form

INVITATION = "/<row_id:invitation_id>/"

TEXTS = ("email", "language", "first_name", "last_name", "message")

FILTERS = {"state": filters.reader_of([state.value for state in State])}

new_invitation = NewInvitationSchema(only=(*TEXTS, "groups"))


class InvitationView(StaffView):
    """Invitations."""

    kind = "user"

    def is_accessible(self) -> bool:
        """Whether the menu shows this: the caller may add users, and invitations are on."""
        return registration.are_invitations_on() and staff_auth.may("add", "user")

    @staff_page("/", needs="add")
    def show_list(self) -> str:
        """List invitations, the newest first."""
        wanted, now = filters.Filters(request.args, FILTERS), clock.now()
        state = State(wanted.values["state"]) if "state" in wanted.values else None
        before = parse_id(request.args.get("before", ""))
        found = [] if wanted.errors else queries.list_newest(state, now, PAGE_SIZE + 1, before)
        rows = found[:PAGE_SIZE]
        names = group_queries.names_by_id()
        return self.render(
            "admin/invitations/list.html",
            rows=[
                (row, state_of(row, now), [names[each] for each in row.facts.get("groups", []) if each in names])
                for row in rows
            ],
            inviters=user_queries.find_emails({row.inviter_id for row in rows if row.inviter_id}),
            next=f"?{page_query(before=str(rows[-1].id))}" if len(found) > PAGE_SIZE else None,
            filters=wanted.texts,
            errors=wanted.errors,
            states=list(State),
        )

    @staff_page("/new/", needs="add")
    def show_new(self) -> Any:
        """Show the form that sends an invitation."""
        saved = take_saved_form()
        groups = saved.getlist("groups") if saved else []
        values = {name: saved.get(name, "") for name in TEXTS} if saved else {}
        return self._show_new(Form({"language": i18n.get_default_language(), **values, "groups": groups}))

    @staff_page("/new/", needs="add", methods=("POST",))
    def send(self) -> Any:
        """Send an invitation."""
        groups = request.form.getlist("groups")
        form = Form({name: request.form.get(name, "") for name in TEXTS} | {"groups": groups})
        try:
            sent = {name: form.values[name] for name in TEXTS if form.values[name]} | {"groups": groups}
            if groups:
                staff_auth.require_fresh_proof()
            invitation = sending.send(NewInvitation(**new_invitation.load(sent)), get_caller().user)
            db.session.commit()
        except ProofNeeded:
            raise
        except (Problem, ValidationError) as error:
            db.session.rollback()
            form.reject(error)
            return self._show_new(form)
        _flash_sent(invitation)
        return self.redirect_to("show_new" if "another" in request.form else "show_list")

    def _show_new(self, form: Form) -> Any:
        return self.render(
            "admin/invitations/new.html", form=form, groups=sending.list_givable(get_caller().user)
        ), form.status

    @staff_page(f"{INVITATION}resend/", needs="add", methods=("POST",))
    def resend(self, invitation_id: int) -> Any:
        """Send an invitation again with a new link."""
        try:
            invitation = sending.resend(invitation_id)
            db.session.commit()
            _flash_sent(invitation)
        except InvitationEnded as error:
            db.session.rollback()
            flash(explain(error), "danger")
        return self.redirect_to("show_list")

    @staff_page(f"{INVITATION}revoke/", needs="add", methods=("POST",))
    def revoke(self, invitation_id: int) -> Any:
        """Revoke an invitation."""
        try:
            sending.revoke(invitation_id)
            db.session.commit()
            flash(_("The invitation was revoked. Its link no longer works."))
        except InvitationEnded as error:
            db.session.rollback()
            flash(explain(error), "danger")
        return self.redirect_to("show_list")


def _flash_sent(invitation: Invitation) -> None:
    if invitation.voids_earlier_links:
        flash(_("An invitation was sent to %(email)s. Earlier links no longer work.", email=invitation.email))
    else:
        flash(_("An invitation was sent to %(email)s.", email=invitation.email))
