"""What every view of the staff site has in common: access checks, error pages, the template context.

Flask-Admin provides the menu, the blueprints, the theme and its static files. Its model views are not used: they would
need more code than these plain views, which call the rules of other folders (decisions 0009 and 0043).
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode

from flask import Response, request
from flask_admin import BaseView, expose
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from userapi.auth import authentication
from userapi.auth.caller import get_caller
from userapi.auth.claims import parse_id
from userapi.auth.problems import CsrfFailed
from userapi.core.db import SAFE_METHODS, allow_standby, db
from userapi.core.problems import PermissionDenied, Problem, ProofNeeded
from userapi.html import csrf, required_second_step, saved_forms
from userapi.html.field_labels import get_labels
from userapi.html.flash import flash, pending_messages, take_messages
from userapi.html.forms import explain
from userapi.html.redirects import see_other
from userapi.http import submissions
from userapi.security import encryption
from userapi.users import permissions
from userapi.users.declaration import get_declaration

from . import labels, staff_auth

View = TypeVar("View", bound=Callable[..., Any])

#: For a page that every member of staff may see.
ANY_STAFF = ""

#: For a page that only superusers may see.
SUPERUSER = "superuser"

#: How long a second click waits for the response to the first, and how many seconds that response is stored.
SECOND_CLICK_TIMEOUT = timedelta(seconds=2)
RESULT_MAX_AGE = 120

#: Rows on a page of a list.
PAGE_SIZE = 50

#: Characters of a list's query string that the pages opened from it keep.
MAX_QUERY_LENGTH = 2000


def staff_page(
    url: str, needs: str, methods: tuple[str, ...] = ("GET",), *, fresh: bool = False
) -> Callable[[View], View]:
    """Give a method of a view a URL, and declare which permission it needs.

    Args:
        url: below the view's own.
        needs: an action, as `change`, on the view's kind of record, or a whole permission, as `delete_session`;
            or ANY_STAFF, or SUPERUSER.
        methods: of HTTP.
        fresh: whether it also requires a recent proof of identity.
    """

    def declare(view: View) -> View:
        view.needs, view.fresh = needs, fresh  # type: ignore[attr-defined]
        exposed: View = expose(url, methods)(view)
        return exposed

    return declare


class StaffView(BaseView):
    """A part of the staff site. A URL that does not declare what it needs is open to no one.

    Attributes:
        kind: the kind of record it is about, as permissions name it.
    """

    kind = ""

    def is_accessible(self) -> bool:
        """Whether the menu shows this view: the caller may view these records."""
        return not self.kind or staff_auth.may("view", self.kind)

    def split_permission(self, needed: str) -> tuple[str, str]:
        """The action and the kind of a declared permission."""
        action, _, kind = needed.partition("_")
        return action, kind or self.kind

    def _handle_view(self, name: str, **_arguments: Any) -> Any:
        """Check the caller before any view: Flask-Admin calls this for each of its URLs."""
        try:
            staff_auth.check_access()
        except authentication.SIGN_IN_REQUIRED:
            return saved_forms.redirect_to_sign_in(query_of_form_page())
        except CsrfFailed as error:
            if (redirect := saved_forms.redirect_to_form(query_of_form_page())) is None:
                raise csrf.StaleForm from error
            return redirect
        try:
            needed: str | None = getattr(getattr(self, name), "needs", None)
            if needed is None:
                raise PermissionDenied
            if needed == SUPERUSER:
                staff_auth.require_superuser()
            elif needed != ANY_STAFF:
                staff_auth.require(*self.split_permission(needed))
        except PermissionDenied as problem:
            return self.show_error(problem)
        if getattr(self, name).fresh:
            staff_auth.require_fresh_proof()
        if request.method in SAFE_METHODS:
            allow_standby()
        return None

    def _run_view(self, view: Callable[..., Any], *args: Any, **arguments: Any) -> Any:
        """Run a view and show its errors as a page. Flask-Admin's own method would run it again after a TypeError."""
        try:
            return submit_once(partial(view, self, *args, **arguments))
        except (HTTPException, ProofNeeded):
            raise
        except Problem as problem:
            db.session.rollback()
            return self.show_error(problem)

    def show_error(self, problem: Problem) -> Any:
        """The error as a page, or as JSON for scripts."""
        if request.accept_mimetypes.best_match(("text/html", "application/json")) == "application/json":
            return {"detail": explain(problem), "code": problem.code}, problem.status
        return self.render("admin/error.html", problem=problem, explanation=explain(problem)), problem.status

    def render(self, template: str, **context: Any) -> str:
        """Render a page with what all pages of the staff site get."""
        declaration = get_declaration()
        common = {
            "me": get_caller().user,
            "may": staff_auth.may,
            "csrf_token": csrf_token,
            "form_id": form_id,
            "messages": take_messages(),
            "second_step_notice": required_second_step.get_notice(get_caller()),
            "page_query": page_query,
            "back": back_query(),
            "list_url": self.list_url,
            "field_labels": get_labels(),
            "visible_changes": visible_changes,
            "own_field_labels": {} if declaration.is_default else declaration.labels,
            **labels.FOR_TEMPLATES,
        }
        text: str = super().render(template, **common, **context)
        return text

    def list_url(self, query: str) -> str:
        """The URL of the list with this query string, which may hold anything."""
        query = urlencode(parse_qsl(query), errors="replace")
        return f"{self.get_url('.show_list')}{'?' if query else ''}{query}"

    def redirect_to_list(self, query: str) -> Response:
        """Redirect after a form to the list, with the filters and the order it had."""
        return see_other(self.list_url(query))

    def redirect_to(self, endpoint: str, **values: Any) -> Response:
        """Redirect after a form to another page of this view."""
        return see_other(self.get_url(f".{endpoint}", **values))


def submit_once(view: Callable[[], Any]) -> Any:
    """Run a view; a second click on the button of its form gets the response of the first.

    The views commit themselves, so the response is stored right after that.
    """
    key = saved_forms.submission_key()
    if key is None:
        return view()
    earlier = submissions.claim_submission(key, timeout=SECOND_CLICK_TIMEOUT)
    stored = encryption.decrypt_json("staff-result", earlier["sealed"], RESULT_MAX_AGE) if earlier else None
    if stored is not None:
        for category, text in stored["messages"]:
            flash(text, category)
        return see_other(stored["path"])
    response = view()
    if isinstance(response, Response) and response.status_code == 303:
        messages = [list(message) for message in pending_messages()]
        store_result(response.headers["Location"], messages)
    return response


def store_result(path: str, messages: list[list[str]]) -> None:
    """Store where a second click on the button of the submitted form leads, and what it shows; commits.

    Args:
        path: of a page.
        messages: pairs of a category and a text.
    """
    key = saved_forms.submission_key()
    if key is not None:
        sealed = encryption.encrypt_json("staff-result", {"path": path, "messages": messages})
        submissions.finish_submission(key, {"sealed": sealed})
        db.session.commit()


def visible_changes(event: Any) -> Mapping[str, Any] | None:
    """The changes in an event, without those that the caller may not see of the own account."""
    return make_visible_changes()(event)


def make_visible_changes() -> Callable[[Any], Mapping[str, Any] | None]:
    """The same function for the present caller, which also works after the request."""
    me, shows_owners = get_caller(), get_declaration().shows_owners
    own_id = "" if permissions.acts_as_staff(me.actor, me.user.id) else str(me.user.id)

    def find(event: Any) -> Mapping[str, Any] | None:
        changes: Mapping[str, Any] | None = event.changes
        if changes is None or event.target_kind != "user" or event.target_id != own_id:
            return changes
        return {name: pair for name, pair in changes.items() if shows_owners(name)}

    return find


def csrf_token() -> str:
    """The `csrf_token` of the forms of this page."""
    return csrf.session_token(get_caller().session_id)


def form_id() -> str:
    """The `form_id` of the forms of this page."""
    return saved_forms.form_id(get_caller().user.id)


def take_saved_form() -> MultiDict[str, str] | None:
    """What the caller typed into the form of this page before the session ended."""
    return saved_forms.take_saved_form(get_caller().user.id)


def query_of_form_page() -> str:
    """The query string of the page that showed the submitted form, which keeps the filters of the list."""
    if back_query():
        return urlencode({"back": back_query()}, errors="replace")
    return urlencode(parse_qsl(request.form.get("query", "")), errors="replace")


def selected_ids(name: str, submitted: MultiDict[str, str] | None = None) -> list[int]:
    """The IDs in a form, by default that of this request, under one name; invalid ones are ignored."""
    ids = (parse_id(text) for text in (request.form if submitted is None else submitted).getlist(name))
    return sorted({row_id for row_id in ids if row_id is not None})


def page_query(**changed: str) -> str:
    """The query string of this page with some parameters changed."""
    return urlencode({**request.args.to_dict(), **changed})


def current_query() -> str:
    """The query string of this request, for links that lead back here."""
    return request.query_string.decode("ascii", "replace")


def back_query() -> str:
    """The query string of the list from which this page was opened."""
    return request.values.get("back", "")[:MAX_QUERY_LENGTH]
