"""The outbox: which letters wait, went or were given up; what they say; another attempt."""

import re
from typing import Any
from urllib.parse import urlsplit

from flask import Response, current_app, request
from flask_babel import gettext as _

from userapi.audit import audit_log
from userapi.auth.caller import get_caller
from userapi.auth.claims import parse_id
from userapi.core.db import db
from userapi.core.loopback import serves_this_machine_only
from userapi.core.problems import NotFound
from userapi.html.flash import flash
from userapi.html.redirects import see_other
from userapi.http import headers
from userapi.mail import outbox
from userapi.mail import queries as mail_queries
from userapi.mail.models import Message
from userapi.mail.outbox import BLANK

from . import filters, queries
from .filters import Filters
from .views import PAGE_SIZE, SUPERUSER, StaffView, staff_page

MESSAGE = "/<row_id:message_id>/"

#: A letter in its frame: its own styles, nothing that runs, nothing that loads, no window but ours around it.
LETTER_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"

READERS = {
    "state": filters.one_of(list(mail_queries.State)),
    "recipient": filters.words,
    "kind": filters.words,
}


class OutboxView(StaffView):
    """The letters."""

    kind = "message"

    @staff_page("/", needs="view")
    def show_list(self) -> str:
        """Every letter, by state, recipient and kind."""
        asked = Filters(request.args, READERS)
        before = parse_id(request.args.get("before", ""))
        found = queries.NO_ROWS if asked.errors else queries.messages(asked.values, before, PAGE_SIZE)
        facts = {"page": found, "asked": asked.texts, "errors": asked.errors, "states": list(mail_queries.State)}
        return self.render("admin/outbox/list.html", **facts)

    @staff_page(MESSAGE, needs="view")
    def show(self, message_id: int) -> Response:
        """A letter: where it stands, and what it says, without the secret in it."""
        message = _existing(message_id)
        link = _link(message) if get_caller().user.is_superuser else None
        text = _without_secret(message, message.text)
        page = self.render("admin/outbox/show.html", message=message, text=text, has_link=link is not None)
        response = Response(page, mimetype="text/html")
        policy = headers.PAGE_POLICY.format(nonce=headers.nonce())
        if link is not None:  # browsers check where the answer to a form leads, too
            policy = policy.replace("form-action 'self'", f"form-action 'self' {_origin(link)}")
        response.headers["Content-Security-Policy"] = f"{policy}; frame-src 'self'"
        return response

    @staff_page(f"{MESSAGE}html/", needs="view")
    def show_html(self, message_id: int) -> Response:
        """The HTML of a letter, for the frame in its page."""
        message = _existing(message_id)
        response = Response(_without_secret(message, message.html), mimetype="text/html")
        response.headers["Content-Security-Policy"] = LETTER_POLICY
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response

    @staff_page(f"{MESSAGE}link/", needs=SUPERUSER, methods=("POST",))
    def open_link(self, message_id: int) -> Response:
        """Follow the link of an email that no mail server sends, in development."""
        link = _link(_existing(message_id))
        if link is None:
            raise NotFound(_("This email has no link to open."))
        audit_log.record("message.link_opened", "message", message_id)
        db.session.commit()
        return see_other(link)

    @staff_page(f"{MESSAGE}retry/", needs="change", methods=("POST",))
    def retry(self, message_id: int) -> Any:
        """Give a letter that has not been sent all its attempts again, from now on."""
        message = _existing(message_id)
        if outbox.retry(message_id):
            db.session.commit()
            flash(_("The email to %(email)s was queued again.", email=message.recipient))
        else:
            flash(_("This email was already sent, so it is not sent again."), "warning")
        return self.redirect_to("show", message_id=message_id)


def _existing(message_id: int) -> Message:
    message = mail_queries.by_id(message_id)
    if message is None:
        raise NotFound(_("There is no email with this ID."))
    return message


def _link(message: Message) -> str | None:
    """The link with the secret of an email; None unless the service is being developed and has no mail server."""
    if current_app.config["MAIL_SERVER"] or not serves_this_machine_only() or not message.secret:
        return None
    links = re.findall(r"https?://\S+", message.text)
    return next((link for link in links if message.secret in link), None)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _without_secret(message: Message, text: str) -> str:
    """What a letter says; whoever reads over a shoulder must not be able to follow its link."""
    return text.replace(message.secret, BLANK) if message.secret else text
