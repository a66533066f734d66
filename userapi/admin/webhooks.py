"""Webhooks: which services get events, whether that works, and their secrets. For superusers only."""

import uuid
from typing import Any

from flask import request
from flask_babel import gettext as _

from userapi.auth.caller import get_caller
from userapi.core import clock
from userapi.core.db import db
from userapi.core.problems import Problem
from userapi.html.flash import flash
from userapi.html.forms import Form
from userapi.outbound.webhook_requests import Result
from userapi.users import queries as user_queries
from userapi.webhooks import endpoint_health, endpoints, queries, trial

from . import labels, webhook_form
from .views import SUPERUSER, staff_page, take_saved_form
from .webhook_deliveries import WEBHOOK, DeliveryPages, read_deliveries

#: How long the previous secret can stay valid after a rotation, in seconds.
OVERLAPS = (0, 3600, endpoints.DEFAULT_OVERLAP, endpoints.MAX_OVERLAP)


class WebhookView(DeliveryPages):
    """Webhooks."""

    @staff_page("/", needs=SUPERUSER)
    def show_list(self) -> str:
        """List webhooks, and whether they work."""
        found = queries.list_endpoints()
        return self.render(
            "admin/webhooks/list.html",
            webhooks=found,
            events=queries.list_events([row.id for row in found]),
            waiting=queries.count_waiting(),
            health_of=endpoint_health.health_of,
        )

    @staff_page("/new/", needs=SUPERUSER)
    def show_new(self) -> Any:
        """Show the form of a new webhook."""
        saved = take_saved_form()
        return self._show_form(None, webhook_form.read_form(saved) if saved else webhook_form.new_form())

    @staff_page("/new/", needs=SUPERUSER, methods=("POST",), fresh=True)
    def add(self) -> Any:
        """Create a webhook."""
        form = webhook_form.read_form(request.form)
        try:
            created = endpoints.create(**webhook_form.read_values(form), maker_id=get_caller().user.id)
            db.session.commit()
        except Problem as error:
            return self._show_rejected(None, form, error)
        flash(_("The webhook was created. Give its secret to the receiver, then send a test."))
        return self.redirect_to("show", webhook_id=created.id)

    @staff_page(WEBHOOK, needs=SUPERUSER)
    def show(self, webhook_id: uuid.UUID) -> str:
        """Show a webhook, its health and its deliveries."""
        webhook = endpoints.find(webhook_id)
        makers = {webhook.maker_id} - {None}
        return self.render(
            "admin/webhooks/show.html",
            webhook=webhook,
            health=endpoint_health.health_of(webhook),
            previous_signs=webhook.previous_until is not None and webhook.previous_until > clock.now(),
            events=queries.list_events([webhook_id])[webhook_id],
            waiting=queries.count_waiting().get(webhook_id, 0),
            makers=user_queries.find_emails(makers),
            **read_deliveries(webhook_id),
        )

    @staff_page(f"{WEBHOOK}edit/", needs=SUPERUSER)
    def show_edit(self, webhook_id: uuid.UUID) -> Any:
        """Show the form of a webhook."""
        webhook, saved = endpoints.find(webhook_id), take_saved_form()
        stored = webhook_form.form_of(webhook, queries.list_events([webhook_id])[webhook_id])
        return self._show_form(webhook, webhook_form.read_form(saved) if saved else stored)

    @staff_page(f"{WEBHOOK}edit/", needs=SUPERUSER, methods=("POST",), fresh=True)
    def edit(self, webhook_id: uuid.UUID) -> Any:
        """Save a webhook."""
        webhook, form = endpoints.find(webhook_id), webhook_form.read_form(request.form)
        try:
            endpoints.change(webhook_id, webhook_form.read_values(form))
            db.session.commit()
        except Problem as error:
            return self._show_rejected(webhook, form, error)
        flash(_("The webhook was saved."))
        return self.redirect_to("show", webhook_id=webhook_id)

    @staff_page(f"{WEBHOOK}test/", needs=SUPERUSER, methods=("POST",))
    def send_test(self, webhook_id: uuid.UUID) -> Any:
        """Send a test, and show what the receiver responded."""
        db.session.commit()  # no transaction stays open while the receiver is slow
        result = trial.send_test(webhook_id)
        flash(_describe(result), "success" if result.is_accepted else "danger")
        return self.redirect_to("show", webhook_id=webhook_id)

    @staff_page(f"{WEBHOOK}disable/", needs=SUPERUSER, methods=("POST",))
    def disable(self, webhook_id: uuid.UUID) -> Any:
        """Stop sending to a webhook."""
        endpoints.disable(webhook_id)
        db.session.commit()
        flash(_("The webhook was disabled. Its deliveries are held until you enable it."))
        return self.redirect_to("show", webhook_id=webhook_id)

    @staff_page(f"{WEBHOOK}enable/", needs=SUPERUSER, methods=("POST",))
    def enable(self, webhook_id: uuid.UUID) -> Any:
        """Send to a webhook again; the held deliveries are sent or dropped."""
        drops = request.form.get("held") == "drop"
        endpoints.enable(webhook_id, drop_waiting=drops)
        db.session.commit()
        if drops:
            flash(_("The webhook was enabled. The held deliveries were dropped."))
        else:
            flash(_("The webhook was enabled. The held deliveries are being sent."))
        return self.redirect_to("show", webhook_id=webhook_id)

    @staff_page(f"{WEBHOOK}secret/", needs=SUPERUSER, fresh=True)
    def show_secret(self, webhook_id: uuid.UUID) -> str:
        """Show the secret of a webhook, with the form that replaces it."""
        webhook = endpoints.find(webhook_id)
        secret = endpoints.reveal_secret(webhook_id)
        context = {"overlaps": OVERLAPS, "default_overlap": endpoints.DEFAULT_OVERLAP}
        return self.render("admin/webhooks/secret.html", webhook=webhook, secret=secret, **context)

    @staff_page(f"{WEBHOOK}rotate/", needs=SUPERUSER, methods=("POST",), fresh=True)
    def rotate(self, webhook_id: uuid.UUID) -> Any:
        """Replace the secret of a webhook."""
        chosen = request.form.get("overlap", "")
        overlap = next((each for each in OVERLAPS if str(each) == chosen), endpoints.DEFAULT_OVERLAP)
        endpoints.rotate_secret(webhook_id, overlap)
        db.session.commit()
        flash(_("The webhook has a new secret. Give it to the receiver."))
        return self.redirect_to("show_secret", webhook_id=webhook_id)

    @staff_page(f"{WEBHOOK}delete/", needs=SUPERUSER)
    def show_delete(self, webhook_id: uuid.UUID) -> str:
        """Show what is lost with a webhook."""
        waiting = queries.count_waiting().get(webhook_id, 0)
        return self.render("admin/webhooks/delete.html", webhook=endpoints.find(webhook_id), waiting=waiting)

    @staff_page(f"{WEBHOOK}delete/", needs=SUPERUSER, methods=("POST",), fresh=True)
    def delete(self, webhook_id: uuid.UUID) -> Any:
        """Delete a webhook."""
        endpoints.delete(webhook_id)
        db.session.commit()
        flash(_("The webhook was deleted."))
        return self.redirect_to("show_list")

    def _show_rejected(self, webhook: Any, form: Form, error: Problem) -> Any:
        db.session.rollback()
        form.reject(error)
        return self._show_form(webhook, form)

    def _show_form(self, webhook: Any, form: Form) -> Any:
        groups, chosen = webhook_form.group_actions(), set(form.values["events"])
        opened = {kind for kind, actions in groups.items() if chosen & {kind, *actions}}
        context = {"groups": groups, "opened": opened, "all_events": webhook_form.ALL}
        return self.render("admin/webhooks/edit.html", webhook=webhook, form=form, **context), form.status


def _describe(result: Result) -> str:
    """What a receiver responded, as a text."""
    if result.error is not None:
        reason = labels.DELIVERY_ERRORS.get(result.error, result.error)
        return str(_("The test failed: %(reason)s", reason=reason))
    text = _(
        "The receiver responded with %(status)s after %(count)s ms.", status=result.status, count=result.duration_ms
    )
    return f"{text} {result.excerpt}".rstrip()
