"""Emails: which are queued, sent or failed, what they say, and sending one again."""

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
from userapi.core.site import get_site
from userapi.html.flash import flash
from userapi.html.forms import Form
from userapi.html.redirects import see_other
from userapi.http import headers
from userapi.mail import emails, queue, relay
from userapi.mail import queries as mail_queries
from userapi.mail.models import EmailMessage
from userapi.mail.queue import REDACTED
from userapi.users import email_address
from userapi.users import queries as user_queries

from . import filters, queries, staff_auth
from .filters import Filters
from .views import PAGE_SIZE, SUPERUSER, StaffView, current_query, staff_page, take_saved_form

EMAIL = "/<row_id:email_id>/"

#: The CSP of an email in its frame: its own styles and the logo, but no scripts, and only in our pages.
EMAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data: {logo}; frame-ancestors 'self'"

#: Tokens are in the links of emails. Those of sent emails are stored without it.
LINK_WITHOUT_TOKEN = re.compile(rf"https?://\S*{REDACTED}")

READERS = {
    "state": filters.reader_of(list(mail_queries.State)),
    "recipient": filters.read_words,
    "kind": filters.read_words,
}


class EmailView(StaffView):
    """Emails."""

    kind = "email"

    @staff_page("/", needs="view")
    def show_list(self) -> str:
        """List emails by status, recipient and type."""
        search = Filters(request.args, READERS)
        before = parse_id(request.args.get("before", ""))
        found = queries.NO_ROWS if search.errors else queries.list_emails(search.values, before, PAGE_SIZE)
        context = {"page": found, "filters": search.texts, "errors": search.errors}
        return self.render("admin/emails/list.html", states=list(mail_queries.State), **context)

    @staff_page("/test/", needs="add")
    def show_test(self) -> Any:
        """Show the form of a test email, which is sent to the caller unless another recipient is entered."""
        saved = take_saved_form()
        return self._show_test(Form({"email": saved.get("email", "") if saved else get_caller().user.email}))

    @staff_page("/test/", needs="add", methods=("POST",))
    def send_test(self) -> Any:
        """Queue a test email. Its page shows when it was sent, or how the mail server rejected it."""
        form = Form({"email": request.form.get("email", "")})
        try:
            recipient, key = email_address.checked(form.values["email"])
        except email_address.InvalidEmail as error:
            form.reject(error)
            return self._show_test(form)
        email = emails.create_test_email(recipient, user_queries.find_id(key))
        db.session.flush()
        audit_log.record("message.test_sent", "message", email.id)
        db.session.commit()
        flash(_("A test email to %(email)s was queued.", email=recipient))
        may_view = staff_auth.may("view", "email")
        return self.redirect_to("show", email_id=email.id) if may_view else self.redirect_to("show_test")

    def _show_test(self, form: Form) -> Any:
        has_mail_server = bool(current_app.config["MAIL_SERVER"])
        return self.render("admin/emails/test.html", form=form, has_mail_server=has_mail_server), form.status

    @staff_page(EMAIL, needs="view")
    def show(self, email_id: int) -> Response:
        """Show an email and its status, without the secret token or code in it."""
        email = _find_email(email_id)
        link = _link(email) if get_caller().user.is_superuser else None
        text = _without_secret(email, email.text)
        page = self.render(
            "admin/emails/show.html",
            email=email,
            text=text,
            has_link=link is not None,
            is_code_hidden=text.startswith(REDACTED),
            is_token_hidden=LINK_WITHOUT_TOKEN.search(text) is not None,
            headers=relay.list_headers(email),
            max_attempts=current_app.config["MAIL_MAX_ATTEMPTS"],
            has_mail_server=bool(current_app.config["MAIL_SERVER"]),
        )
        response = Response(page, mimetype="text/html")
        policy = headers.PAGE_POLICY.format(nonce=headers.get_csp_nonce())
        if link is not None:  # browsers apply form-action to redirects, too
            policy = policy.replace("form-action 'self'", f"form-action 'self' {_origin(link)}")
        response.headers["Content-Security-Policy"] = f"{policy}; frame-src 'self'"
        return response

    @staff_page(f"{EMAIL}html/", needs="view")
    def show_html(self, email_id: int) -> Response:
        """The HTML of an email, for the frame in its page."""
        email = _find_email(email_id)
        response = Response(_without_secret(email, email.html), mimetype="text/html")
        response.headers["Content-Security-Policy"] = EMAIL_POLICY.format(
            logo=get_site().email_logo_url.partition("?")[0]
        )
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        return response

    @staff_page(f"{EMAIL}link/", needs=SUPERUSER, methods=("POST",))
    def open_link(self, email_id: int) -> Response:
        """Open the link of an email, in development without a mail server."""
        link = _link(_find_email(email_id))
        if link is None:
            raise NotFound(_("This email has no link to open."))
        audit_log.record("message.link_opened", "message", email_id)
        db.session.commit()
        return see_other(link)

    @staff_page(f"{EMAIL}retry/", needs="change", methods=("POST",))
    def retry(self, email_id: int) -> Any:
        """Queue an email that was not sent again, with all attempts."""
        email = _find_email(email_id)
        if queue.retry(email_id):
            db.session.commit()
            flash(_("The email to %(email)s was queued again.", email=email.recipient))
        else:
            flash(_("This email was already sent, so it is not sent again."), "warning")
        return self.redirect_to("show", email_id=email_id)


def _find_email(email_id: int) -> EmailMessage:
    email = mail_queries.by_id(email_id)
    if email is None:
        raise NotFound(_("There is no email with this ID."))
    return email


def _link(email: EmailMessage) -> str | None:
    """The link with the secret token; None unless this is a development machine without a mail server."""
    if current_app.config["MAIL_SERVER"] or not serves_this_machine_only() or not email.secret:
        return None
    links = re.findall(r"https?://\S+", email.text)
    return next((link for link in links if any(token in link for token in email.secret.splitlines())), None)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _without_secret(email: EmailMessage, text: str) -> str:
    """The text of an email without its token, because anyone who sees the page could use the link."""
    return queue.remove_secrets(email.secret, text)


class OldEmailView(StaffView):
    """Redirects bookmarks of emails, which were below `/admin/outbox/` before."""

    kind = "email"

    def is_visible(self) -> bool:
        """Not in the menu."""
        return False

    @staff_page("/", needs="view")
    def show_list(self) -> Response:
        """Redirect to the list, with the same filters."""
        query = f"?{current_query()}" if current_query() else ""
        return see_other(self.get_url("staff_emails.show_list") + query)

    @staff_page(EMAIL, needs="view")
    def show(self, email_id: int) -> Response:
        """Redirect to an email."""
        return see_other(self.get_url("staff_emails.show", email_id=email_id))
