"""Emails: their state, their contents, and another attempt."""

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
from userapi.mail import queries as mail_queries
from userapi.mail import queue
from userapi.mail.models import EmailMessage
from userapi.mail.queue import BLANK

from . import filters, queries
from .filters import Filters
from .views import PAGE_SIZE, SUPERUSER, StaffView, staff_page

EMAIL = "/<row_id:email_id>/"

#: The HTML of an email, in a frame: its own styles; no scripts, no other resources, and no frame of another site.
EMAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"

READERS = {
    "state": filters.one_of(list(mail_queries.State)),
    "recipient": filters.words,
    "kind": filters.words,
}


class EmailsView(StaffView):
    """All emails."""

    kind = "email"

    @staff_page("/", needs="view")
    def show_list(self) -> str:
        """A list of emails, with filters."""
        asked = Filters(request.args, READERS)
        before = parse_id(request.args.get("before", ""))
        found = queries.NO_ROWS if asked.errors else queries.list_emails(asked.values, before, PAGE_SIZE)
        facts = {"page": found, "asked": asked.texts, "errors": asked.errors, "states": list(mail_queries.State)}
        return self.render("admin/outbox/list.html", **facts)

    @staff_page(EMAIL, needs="view")
    def show(self, email_id: int) -> Response:
        """An email: its state, and its contents without the secret."""
        email = _existing(email_id)
        link = _link(email) if get_caller().user.is_superuser else None
        text = _without_secret(email, email.text)
        page = self.render("admin/outbox/show.html", email=email, text=text, has_link=link is not None)
        response = Response(page, mimetype="text/html")
        policy = headers.PAGE_POLICY.format(nonce=headers.get_csp_nonce())
        if link is not None:  # browsers check where the answer to a form leads, too
            policy = policy.replace("form-action 'self'", f"form-action 'self' {_origin(link)}")
        response.headers["Content-Security-Policy"] = f"{policy}; frame-src 'self'"
        return response

    @staff_page(f"{EMAIL}html/", needs="view")
    def show_html(self, email_id: int) -> Response:
        """The HTML of an email, for the frame in its page."""
        email = _existing(email_id)
        response = Response(_without_secret(email, email.html), mimetype="text/html")
        response.headers["Content-Security-Policy"] = EMAIL_POLICY
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response

    @staff_page(f"{EMAIL}link/", needs=SUPERUSER, methods=("POST",))
    def open_link(self, email_id: int) -> Response:
        """Follow the link of an email that no mail server sends, in development."""
        link = _link(_existing(email_id))
        if link is None:
            raise NotFound(_("This email has no link to open."))
        audit_log.record("message.link_opened", "message", email_id)
        db.session.commit()
        return see_other(link)

    @staff_page(f"{EMAIL}retry/", needs="change", methods=("POST",))
    def retry(self, email_id: int) -> Any:
        """Queue an unsent email again, with all its attempts."""
        email = _existing(email_id)
        if queue.retry(email_id):
            db.session.commit()
            flash(_("The email to %(email)s was queued again.", email=email.recipient))
        else:
            flash(_("This email was already sent, so it is not sent again."), "warning")
        return self.redirect_to("show", email_id=email_id)


def _existing(email_id: int) -> EmailMessage:
    email = mail_queries.by_id(email_id)
    if email is None:
        raise NotFound(_("There is no email with this ID."))
    return email


def _link(email: EmailMessage) -> str | None:
    """The link with the secret of an email; None unless the service is being developed and has no mail server."""
    if current_app.config["MAIL_SERVER"] or not serves_this_machine_only() or not email.secret:
        return None
    links = re.findall(r"https?://\S+", email.text)
    return next((link for link in links if email.secret in link), None)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _without_secret(email: EmailMessage, text: str) -> str:
    """The contents of an email, in which no one can find a link that works."""
    return text.replace(email.secret, BLANK) if email.secret else text
