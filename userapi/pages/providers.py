"""The pages of sign-in with a provider: the way there and back, and linking on the security page.

What follows where no account has the identity yet is in `provider_accounts`.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, request, url_for
from flask_babel import gettext as _

from userapi.auth import cookies, identity_changes, provider_apps, provider_sign_in
from userapi.auth.caller import find_caller, get_caller
from userapi.auth.problems import SecondStepNeeded
from userapi.auth.provider_sign_in import NewUser, SignedIn
from userapi.core.db import commit_on, db, expect_writes
from userapi.core.problems import Problem
from userapi.core.provider_settings import Provider
from userapi.federation import assertions, exchange, identities, providers, visits
from userapi.federation.assertions import Assertion
from userapi.federation.problems import (
    IdentityTaken,
    ProviderAnswerInvalid,
    ProviderDeclined,
    ProviderUnavailable,
    UnknownProvider,
    VisitExpired,
)
from userapi.federation.visits import Purpose
from userapi.html.flash import flash
from userapi.html.redirects import next_path, redirect_to, see_other

from . import provider_cookies, second_step_cookie
from .hop import hop_to, hop_to_site_url
from .layout import blueprint, render_page
from .page_auth import fresh, open_to_visitors, without_form_token
from .signed_in import respond_signed_in
from .single_submission import Done, submit_once

#: What may go wrong with a provider: our page says it, or the app that sent the browser.
ERRORS = (UnknownProvider, ProviderUnavailable, ProviderDeclined, ProviderAnswerInvalid, VisitExpired, IdentityTaken)

#: Those that leave an event.
RECORDED = (ProviderUnavailable, ProviderDeclined, ProviderAnswerInvalid)


def show_problem(problem: Problem) -> Response:
    """The page of an error of sign-in with a provider."""
    db.session.rollback()
    return Response(
        render_page("provider_problem.html", problem=problem), problem.status, mimetype="text/html",
        headers=problem.headers,
    )  # fmt: skip


for error in ERRORS:
    blueprint.register_error_handler(error, show_problem)


def without_head(view: Callable[..., Response]) -> Callable[..., Response]:
    """Reject HEAD requests to a view whose GET requests use something up: link previews send them."""

    @wraps(view)
    def wrapper(**arguments: Any) -> Response:
        if request.method == "HEAD":
            return Response(status=405, headers={"Allow": "GET, OPTIONS"})
        return view(**arguments)

    return wrapper


@blueprint.post("/login/<provider_id>/")
@open_to_visitors
def start_provider_sign_in(provider_id: str) -> Response:
    """Send the browser to a provider."""
    if response := hop_to_site_url(url_for("pages.sign_in_user", next=next_path() or None)):
        return response
    provider, secret = providers.find(provider_id), provider_cookies.claim_browser_secret()
    started = visits.begin(provider, Purpose.SIGN_IN, browser_secret=secret, next=next_path())
    db.session.commit()
    return provider_cookies.set_browser_cookie(hop_to(started.url, provider.name))


@blueprint.post("/account/security/identities/<provider_id>/")
@fresh
def start_link(provider_id: str) -> Response:
    """Send the browser to a provider whose identity is to be linked to the account."""
    if response := hop_to_site_url(url_for("pages.show_security")):
        return response
    provider, secret = providers.find(provider_id), provider_cookies.claim_browser_secret()
    started = identity_changes.begin_link(get_caller(), provider, browser_secret=secret)
    db.session.commit()
    return provider_cookies.set_browser_cookie(hop_to(started.url, provider.name))


@blueprint.post("/account/security/identities/<row_id:identity_id>/unlink/")
@fresh
@submit_once
def unlink_identity(identity_id: int) -> Done:
    """Unlink a provider from the account; the sessions that began with it end."""
    identity_changes.unlink(get_caller(), identity_id)
    return Done(url_for("pages.show_security"), "identity_unlinked")


@blueprint.get("/auth/start/<provider_id>/")
@open_to_visitors
@without_head
def start_for_app(provider_id: str) -> Response:
    """Send a browser to a provider that comes from an app, and that the app gets back."""
    provider, secret = providers.find(provider_id), provider_cookies.claim_browser_secret()
    if "visit" in request.args:
        started = visits.adopt(provider, request.args["visit"], secret)
    else:
        wanted = provider_apps.load_start(request.args)
        try:
            started = visits.begin(provider, Purpose.SIGN_IN, browser_secret=secret, **wanted)
        except (ProviderUnavailable, ProviderAnswerInvalid) as problem:
            return see_other(provider_apps.error_url(problem, wanted["return_to"], wanted["client_state"]))
    db.session.commit()
    return provider_cookies.set_browser_cookie(see_other(started.url))


@blueprint.get("/auth/callback/<provider_id>/")
@open_to_visitors
@without_head
def finish_visit(provider_id: str) -> Response:
    """Check what a provider says, and sign in, or continue with what comes first."""
    provider, state = providers.find(provider_id), request.args.get("state", "")
    expect_writes()
    visit = visits.spend(provider.id, state, provider_cookies.get_browser_secret())
    try:
        with commit_on(*RECORDED):
            assertion = exchange.prove(provider, visit, state, request.args)
            if visit.return_to:
                url = provider_apps.code_url(visit, assertion)
                db.session.commit()
                return see_other(url)
            return _finish_on_pages(provider, visit, assertion)
    except ERRORS as problem:
        if not visit.return_to:
            raise
        db.session.rollback()
        return see_other(provider_apps.error_url(problem, visit.return_to, visit.client_state))


@blueprint.post("/auth/callback/<provider_id>/")
@open_to_visitors
@without_form_token
def take_posted_answer(provider_id: str) -> Response:
    """Turn an answer that a provider's page has posted into a request that has the cookie of the browser.

    It is posted by another site, so the cookie does not come with it. The name, which comes only this way and unsigned,
    is stored with the visit.
    """
    provider = providers.find(provider_id)
    if not provider.uses_form_post:
        raise VisitExpired
    posted = request.form
    first_name, last_name = assertions.read_name(posted.get("user", ""))
    visits.keep_name(provider, posted.get("state", ""), first_name, last_name)
    answer = {name: posted[name] for name in ("state", "code", "error", "iss") if name in posted}
    return redirect_to("pages.finish_visit", provider_id=provider.id, **answer)


def _finish_on_pages(provider: Provider, visit: Any, assertion: Assertion) -> Response:
    if visit.purpose == Purpose.LINK:
        identity_changes.finish_link(find_caller(), provider, visit, assertion)
        db.session.commit()
        flash(_("You can now sign in with %(provider)s.", provider=provider.name))
        return provider_cookies.delete_browser_cookie(redirect_to("pages.show_security"))
    if visit.user_id is not None:
        identities.require_linked_to(visit.user_id, assertion)
    try:
        with commit_on(SecondStepNeeded):
            outcome = provider_sign_in.sign_in_with(provider, visit.state_digest, assertion, cookies.get_device_token())
    except SecondStepNeeded as needed:
        response = second_step_cookie.redirect_to_second_step(needed, visit.next)
        return provider_cookies.delete_browser_cookie(response)
    if isinstance(outcome, SignedIn):
        following = visit.next or url_for("pages.show_account")
        response = respond_signed_in(outcome.session, following, outcome.language)
        return provider_cookies.delete_browser_cookie(response)
    db.session.commit()
    page = "pages.show_provider_registration" if isinstance(outcome, NewUser) else "pages.show_account_proof"
    response = provider_cookies.set_ticket(redirect_to(page, provider_id=provider.id), outcome.ticket)
    return provider_cookies.delete_browser_cookie(response)
