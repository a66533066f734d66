"""The page on which a signed-in user proves the identity again, before a sensitive action (decision 0049).

A form that was submitted without a recent proof is kept on this page, encrypted, and offered for submission afterwards.
It is never submitted by itself. Passwords and files are not kept: then the page with the form follows, filled in.
"""

from collections.abc import Mapping
from typing import Any

from flask import Response, make_response, request, url_for
from flask_babel import gettext as _

from userapi.auth import cookies, identity_changes, proof, tokens
from userapi.auth.caller import get_caller
from userapi.auth.problems import InvalidCredentials, InvalidMailedCode
from userapi.core.db import commit_on, db
from userapi.core.problems import ProofNeeded
from userapi.federation import providers
from userapi.html import saved_forms
from userapi.html.flash import flash
from userapi.html.redirects import next_path, redirect_to, redirect_to_next
from userapi.http import errors
from userapi.http.page_paths import find_page_above
from userapi.mfa.passkey_problems import InvalidPasskey, NoPasskey

from . import proof_cookie, provider_cookies, schemas
from .hop import hop_to
from .layout import blueprint, render_page
from .page_auth import SAFE_METHODS, open_to_incomplete, open_to_set_up
from .submitted_forms import load_form, show_on_error


@blueprint.app_errorhandler(ProofNeeded)
def handle_missing_proof(problem: ProofNeeded) -> Response:
    """Show the page that asks for a proof; programs get the problem."""
    db.session.rollback()
    if not errors.wants_error_page():
        return errors.problem_response(problem)
    if request.method in SAFE_METHODS:
        return redirect_to("pages.show_proof", next=request.full_path.rstrip("?"))
    form = saved_forms.seal_form(get_caller().user.id)
    page = find_page_above(request.path)
    response = make_response(_render(form=form, following=page, form_follows=form is None), problem.status)
    response.headers.update(problem.headers)
    if form is None:
        saved_forms.save_form(response, page)
    return response


@blueprint.get("/prove/")
@open_to_incomplete
@open_to_set_up
def show_proof() -> str | Response:
    """Show the form that proves the identity, unless it was proved recently; with `again`, also then."""
    sent: Mapping[str, Any] = request.form
    if request.method in SAFE_METHODS:
        kept = proof_cookie.read(_about_caller())
        sent = kept if kept.get("following") == next_path() else {}
        if proof.is_fresh(get_caller()) and "again" not in request.args:
            return _continue(sent)
    return _render(
        sent.get("form") or None,
        next_path(),
        form_follows=bool(sent.get("form_follows")),
        challenge=sent.get("challenge"),
    )


@blueprint.post("/prove/")
@open_to_incomplete
@open_to_set_up
@show_on_error(show_proof)
def prove() -> Response:
    """Prove the identity, and continue with the form that was submitted or the page that was requested."""
    caller = get_caller()
    typed = load_form(schemas.proof)
    with commit_on(InvalidCredentials, InvalidMailedCode, InvalidPasskey):
        session = proof.prove_with(caller, typed)
    pair = tokens.issue_pair(session, web=True)
    db.session.commit()
    return cookies.set_token_cookies(_continue(typed), pair)


@blueprint.post("/prove/code/")
@open_to_incomplete
@open_to_set_up
@show_on_error(show_proof)
def request_proof_code() -> Response:
    """Send the user a code by email, and continue with the form for it."""
    challenge = proof.request_code(get_caller())
    db.session.commit()
    return _keep(redirect_to("pages.show_proof", next=next_path() or None), challenge=str(challenge))


@blueprint.post("/prove/<provider_id>/")
@open_to_incomplete
@open_to_set_up
def prove_with_provider(provider_id: str) -> Response:
    """Send the browser to a provider that is linked to the account, to sign in again to the same account."""
    caller, provider, secret = get_caller(), providers.find(provider_id), provider_cookies.claim_browser_secret()
    following = url_for("pages.show_proof", next=next_path() or None)
    started = identity_changes.begin_proof(caller, provider, browser_secret=secret, next=following)
    db.session.commit()
    return _keep(provider_cookies.set_browser_cookie(hop_to(started.url, provider.name)))


def _keep(response: Response, **more: str) -> Response:
    """Keep the form that was submitted, for the page that follows."""
    sent = request.form
    content = {"following": next_path(), "form": sent.get("form"), "form_follows": "form_follows" in sent, **more}
    return proof_cookie.set_cookie(response, _about_caller(), content)


def _continue(sent: Mapping[str, Any]) -> Response:
    """Offer the form that was submitted, or continue with the page that was requested."""
    form = saved_forms.unseal_form(sent.get("form") or "", get_caller().user.id)
    if form is not None:
        page = render_page("proved.html", submitted=form, following=next_path() or url_for("pages.show_account"))
        return proof_cookie.delete_cookie(make_response(page))
    if sent.get("form_follows"):
        flash(_("Thank you. Enter passwords and choose files again, then submit the form."))
    return proof_cookie.delete_cookie(redirect_to_next())


def _about_caller() -> str:
    return f"user:{get_caller().user.id}"


def _render(form: str | None, following: str, *, form_follows: bool, challenge: str | None = None) -> str:
    caller = get_caller()
    try:
        passkey = proof.build_passkey_options(caller)
    except NoPasskey:
        passkey = None
    return render_page(
        "prove.html",
        kept_form=form,
        following=following,
        form_follows=form_follows,
        step=proof.find_second_step(caller),
        passkey=passkey,
        linked_providers=identity_changes.list_proofs(caller) if providers.configured() else [],
        needs_mailed_code=proof.may_use_mailed_code(caller),
        challenge=challenge or request.form.get("challenge"),
        cancel="/admin/" if following.startswith("/admin/") else url_for("pages.show_account"),
    )
