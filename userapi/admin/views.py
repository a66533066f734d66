"""What every view of the staff site has in common: its guard, its refusals, its forms.

Flask-Admin's model views write rows themselves; here every act is a rule of another room, so the views are its plain
ones. Flask-Admin brings the menu, the blueprints, the theme and its static files.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, urlencode

from flask import Response, flash, redirect, request, session
from flask_admin import BaseView, expose
from flask_babel import gettext as _
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from userapi.auth import authentication, saved_forms, tokens
from userapi.auth.caller import get_caller
from userapi.auth.claims import parse_id
from userapi.auth.problems import CsrfFailed
from userapi.core.db import db
from userapi.core.i18n import translated
from userapi.core.problems import PermissionDenied, Problem, ValidationFailed
from userapi.http import submissions
from userapi.security import encryption

from . import labels, staff_auth

View = TypeVar("View", bound=Callable[..., Any])

#: For a page that every member of staff may see.
ANY_STAFF = ""

#: For a page that only superusers may see.
SUPERUSER = "superuser"

#: How long a second click waits for the answer to the first, and how long that answer can be read.
SECOND_CLICK = timedelta(seconds=2)
SEALED_SECONDS = 120

#: Rows on a page of a list.
PAGE = 50

#: The most characters of a list's query string that its pages carry along.
LONGEST_QUERY = 2000


def page(url: str, needs: str, methods: tuple[str, ...] = ("GET",)) -> Callable[[View], View]:
    """Give a method of a view an address, and say what the caller needs for it.

    Args:
        url: below the view's own.
        needs: an action, as `change`, on the view's kind of record, or a whole permission, as `delete_session`;
            or ANY_STAFF, or SUPERUSER.
        methods: of HTTP.
    """

    def declare(view: View) -> View:
        view.needs = needs  # type: ignore[attr-defined]
        exposed: View = expose(url, methods)(view)
        return exposed

    return declare


class StaffView(BaseView):
    """A part of the staff site. An address that does not say what it needs is open to nobody.

    Attributes:
        kind: the kind of record it is about, as permissions name it.
    """

    kind = ""

    def is_accessible(self) -> bool:
        """Whether the caller may look at these records: else the menu does not name them."""
        return not self.kind or staff_auth.may("view", self.kind)

    def needs(self, needed: str) -> tuple[str, str]:
        """The action and the kind that a declaration means."""
        action, _, kind = needed.partition("_")
        return action, kind or self.kind

    def _handle_view(self, name: str, **_arguments: Any) -> Any:
        """Check the caller once, before any view: Flask-Admin runs this for every address it has."""
        try:
            staff_auth.admit()
        except authentication.SIGN_IN_REQUIRED:
            return saved_forms.send_to_sign_in(list_in_form())
        except CsrfFailed:
            if (again := saved_forms.reopen_form(list_in_form())) is None:
                raise
            return again
        try:
            needed: str | None = getattr(getattr(self, name), "needs", None)
            if needed is None:
                raise PermissionDenied
            if needed == SUPERUSER:
                staff_auth.require_superuser()
            elif needed != ANY_STAFF:
                staff_auth.require(*self.needs(needed))
        except PermissionDenied as problem:
            return self.refuse(problem)
        return None

    def _run_view(self, view: Callable[..., Any], *args: Any, **arguments: Any) -> Any:
        """Run a view once (Flask-Admin's own would run it again after a TypeError), and show its refusal as a page."""
        try:
            return once(partial(view, self, *args, **arguments))
        except HTTPException:
            raise
        except Problem as problem:
            db.session.rollback()
            return self.refuse(problem)

    def refuse(self, problem: Problem) -> Any:
        """A page that says why not, or a few words to a script."""
        if request.accept_mimetypes.best_match(("text/html", "application/json")) == "application/json":
            return {"detail": explain(problem), "code": problem.code}, problem.status
        return self.render("admin/refusal.html", problem=problem, explanation=explain(problem)), problem.status

    def render(self, template: str, **facts: Any) -> str:
        """A page, with what every page of the staff site says."""
        common = {
            "me": get_caller().user,
            "may": staff_auth.may,
            "csrf_token": csrf_token,
            "form_id": form_id,
            "page_query": page_query,
            "back": back_query(),
            "list_url": self.list_url,
            **labels.FOR_TEMPLATES,
        }
        text: str = super().render(template, **common, **facts)
        return text

    def list_url(self, query: str) -> str:
        """The list of this view as a query string asked for it, whatever that holds."""
        query = urlencode(parse_qsl(query), errors="replace")
        return f"{self.get_url('.show_list')}{'?' if query else ''}{query}"

    def to_list(self, query: str) -> Response:
        """A redirect, after a form, to the list as it was."""
        return see_other(self.list_url(query))

    def to(self, endpoint: str, **values: Any) -> Response:
        """A redirect, after a form, to another page of this view."""
        return see_other(self.get_url(f".{endpoint}", **values))


def once(view: Callable[[], Any]) -> Any:
    """Run a view; the second click on its form is answered like the first.

    The views commit themselves, so what the first click led to is written right after that.
    """
    key = saved_forms.submission_key()
    if key is None:
        return view()
    before = submissions.claim(key, patience=SECOND_CLICK)
    known = encryption.decrypt_json("staff-answer", before["sealed"], SEALED_SECONDS) if before else None
    if known is not None:
        for category, text in known["notices"]:
            say(text, category)
        return see_other(known["path"])
    answer = view()
    if isinstance(answer, Response) and answer.status_code == 303:
        led_to = {"path": answer.headers["Location"], "notices": session.get("_flashes", [])}
        submissions.finish(key, {"sealed": encryption.encrypt_json("staff-answer", led_to)})
        db.session.commit()
    return answer


class Form:
    """What a form says, and what is wrong with it.

    Attributes:
        values: texts by field, those inside a profile as `profile.city`.
        errors: messages by field.
        refusal: what is wrong with the whole.
    """

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        self.values = values or {}
        self.errors: dict[str, list[str]] = {}
        self.refusal: str | None = None
        self._status = 400

    @classmethod
    def of(cls, refusal: Problem | ValidationError) -> "Form":
        """An empty form that says why it was refused."""
        form = cls()
        form.refuse(refusal)
        return form

    @property
    def status(self) -> int:
        """The HTTP status of the page that shows the form."""
        return self._status if self.errors or self.refusal else 200

    def refuse(self, refusal: Problem | ValidationError) -> None:
        """Note what a rule or a schema found wrong."""
        if isinstance(refusal, Problem):
            self._status = refusal.status
            self.errors = flat(refusal.errors or {})
            self.refusal = None if self.errors else explain(refusal)
        else:
            self.errors = flat(translated(refusal.normalized_messages()))


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, list[str]]:
    """Messages by dotted name."""
    messages: dict[str, list[str]] = {}
    for name, found in tree.items():
        if isinstance(found, dict):
            messages |= flat(found, f"{prefix}{name}.")
        else:
            messages[f"{prefix}{name}"] = [str(text) for text in (found if isinstance(found, list) else [found])]
    return messages


def explain(problem: Problem) -> str:
    """A refusal in words for people."""
    if isinstance(problem, ValidationFailed) and problem.errors:
        return " ".join(text for texts in flat(problem.errors).values() for text in texts)
    return str(problem)


def say(text: str, category: str = "success") -> None:
    """Show a notice on the next page."""
    flash(text, category)


def csrf_token() -> str:
    """What every form of ours sends along; Flask-Admin's own templates ask for it by this name."""
    return tokens.csrf_value(get_caller().session_id)


def form_id() -> str:
    """What every form carries to be known after the session has ended."""
    return saved_forms.form_id(get_caller().user.id)


def kept_form() -> MultiDict[str, str] | None:
    """What the caller typed into the form of this page before the session ended; a notice says so."""
    kept = saved_forms.load_form(get_caller().user.id)
    if kept is not None:
        say(_("This is what you typed before your session ended. Nothing is saved yet: check it and send it again."))
    return kept


def see_other(path: str) -> Response:
    """A redirect that the browser follows by GET."""
    return cast("Response", redirect(path, 303))


def list_in_form() -> str:
    """The query string of the page that a form was on: the list that it acts on, or that its page leads back to."""
    if back_query():
        return urlencode({"back": back_query()}, errors="replace")
    return urlencode(parse_qsl(request.form.get("query", "")), errors="replace")


def chosen_ids(name: str, sent: MultiDict[str, str] | None = None) -> list[int]:
    """The row numbers in a form, that of this request by default, under one name; anything else is left out."""
    found = (parse_id(text) for text in (request.form if sent is None else sent).getlist(name))
    return sorted({row_id for row_id in found if row_id is not None})


def page_query(**changed: str) -> str:
    """The query string of this page with something changed."""
    return urlencode({**request.args.to_dict(), **changed})


def own_query() -> str:
    """The query string of this request, to come back to."""
    return request.query_string.decode("ascii", "replace")


def back_query() -> str:
    """The query string of the list that this page was opened from, as its links and forms carry it along."""
    return request.values.get("back", "")[:LONGEST_QUERY]
