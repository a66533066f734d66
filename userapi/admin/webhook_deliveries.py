"""The deliveries of a webhook on the staff site: what was sent, what came back, and sending it again."""

import uuid
from datetime import UTC, datetime
from typing import Any

from flask import request
from flask_babel import gettext as _
from flask_babel import ngettext

from userapi.auth.caller import get_caller
from userapi.auth.claims import parse_id
from userapi.core.db import db
from userapi.core.problems import ValidationFailed
from userapi.html.flash import flash
from userapi.html.forms import Form
from userapi.users import queries as user_queries
from userapi.webhooks import endpoints, queries, replays
from userapi.webhooks.models import State
from userapi.webhooks.problems import DeliveryNotFound, WebhooksOff

from . import filters
from .filters import Filters
from .queries import ListPage
from .views import PAGE_SIZE, SUPERUSER, StaffView, staff_page, take_saved_form

WEBHOOK = "/<uuid:webhook_id>/"
DELIVERY = f"{WEBHOOK}deliveries/<row_id:delivery_id>/"

READERS = {"state": filters.reader_of(list(State))}

#: The states that a replay can be limited to.
ENDED = (State.FAILED, State.DELIVERED, State.DROPPED)


class DeliveryPages(StaffView):
    """Pages about what was sent to a webhook. Superusers only, as for all pages of webhooks."""

    def is_accessible(self) -> bool:
        """Whether the menu shows webhooks."""
        return endpoints.is_enabled() and bool(get_caller().user.is_superuser)

    def _handle_view(self, name: str, **arguments: Any) -> Any:
        """Check the caller, and whether the site has webhooks."""
        denied = super()._handle_view(name, **arguments)
        return self.show_error(WebhooksOff()) if denied is None and not endpoints.is_enabled() else denied

    @staff_page(DELIVERY, needs=SUPERUSER)
    def show_delivery(self, webhook_id: uuid.UUID, delivery_id: int) -> str:
        """Show a delivery with its attempts."""
        delivery = queries.find_delivery(webhook_id, delivery_id)
        if delivery is None:
            raise DeliveryNotFound
        return self.render(
            "admin/webhooks/delivery.html",
            webhook=endpoints.find(webhook_id),
            delivery=delivery,
            attempts=queries.list_attempts(delivery_id),
            names=find_names([delivery]),
        )

    @staff_page(f"{DELIVERY}replay/", needs=SUPERUSER, methods=("POST",))
    def replay(self, webhook_id: uuid.UUID, delivery_id: int) -> Any:
        """Queue a delivery again."""
        count = replays.replay_one(webhook_id, delivery_id)
        db.session.commit()
        if count:
            flash(_("The delivery was queued again."))
        else:
            flash(_("This delivery is queued already, or was queued again a moment ago."), "warning")
        return self.redirect_to("show_delivery", webhook_id=webhook_id, delivery_id=delivery_id)

    @staff_page(f"{WEBHOOK}replay/", needs=SUPERUSER)
    def show_replay(self, webhook_id: uuid.UUID) -> Any:
        """Show the form that replays the deliveries of a time."""
        saved = take_saved_form()
        return self._show_replay(webhook_id, _read_range(saved) if saved else Form({"since": "", "until": ""}))

    @staff_page(f"{WEBHOOK}replay/", needs=SUPERUSER, methods=("POST",))
    def replay_many(self, webhook_id: uuid.UUID) -> Any:
        """Queue the deliveries of a time again."""
        form = _read_range(request.form)
        try:
            since, until = _parse(form, "since"), _parse(form, "until")
            if since is None:
                raise ValidationFailed(errors={"since": [_("This field is required.")]})
            state = State(form.values["state"]) if form.values["state"] in ENDED else None
        except ValidationFailed as error:
            form.reject(error)
            return self._show_replay(webhook_id, form)
        count = replays.replay_range(webhook_id, since, until, state)
        db.session.commit()
        text = ngettext("%(num)s delivery was queued again.", "%(num)s deliveries were queued again.", count)
        flash(text, "success" if count else "warning")
        return self.redirect_to("show", webhook_id=webhook_id)

    def _show_replay(self, webhook_id: uuid.UUID, form: Form) -> Any:
        webhook = endpoints.find(webhook_id)
        return self.render("admin/webhooks/replay.html", webhook=webhook, form=form, states=ENDED), form.status


def read_deliveries(webhook_id: uuid.UUID) -> dict[str, Any]:
    """The deliveries of a webhook that the query string of this request selects, for a template."""
    search = Filters(request.args, READERS)
    state = State(search.values["state"]) if "state" in search.values else None
    before = parse_id(request.args.get("before", ""))
    found = [] if search.errors else queries.list_deliveries(webhook_id, state, before, PAGE_SIZE + 1)
    page = ListPage(found[:PAGE_SIZE], str(found[PAGE_SIZE - 1].id) if len(found) > PAGE_SIZE else None)
    context = {"page": page, "filters": search.texts, "errors": search.errors}
    return {**context, "states": list(State), "names": find_names(page.rows)}


def find_names(deliveries: Any) -> dict[int, str]:
    """The email addresses of the users whom deliveries are about, by ID."""
    return user_queries.find_emails({row.user_id for row in deliveries if row.user_id is not None})


def _read_range(sent: Any) -> Form:
    return Form({name: sent.get(name, "").strip() for name in ("since", "until", "state")})


def _parse(form: Form, name: str) -> datetime | None:
    """A date or a time in UTC; None if the field is empty.

    Raises:
        ValidationFailed: it is neither.
    """
    text = form.values[name]
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValidationFailed(errors={name: [_("Enter a time, for example 2026-11-29T08:30.")]}) from error
