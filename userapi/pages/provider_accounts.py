"""The pages between a provider and an account: registering a new one, or proving that an account is the user's."""

from flask import Response, request, url_for
from flask_babel import gettext as _

from userapi.auth import account_proofs, cookies, identity_changes, provider_sign_in
from userapi.auth.caller import find_caller, get_caller
from userapi.auth.problems import InvalidCredentials, InvalidMailedCode, SecondStepNeeded
from userapi.auth.provider_sign_in import ProofOfAccount
from userapi.core.db import commit_on, db
from userapi.federation import visits
from userapi.federation.problems import ProviderDeclined
from userapi.html.flash import flash
from userapi.html.redirects import redirect_to

from . import notices, proof_cookie, provider_cookies, schemas, second_step_cookie
from .layout import blueprint, render_page
from .page_auth import open_to_visitors
from .signed_in import respond_signed_in
from .single_submission import Done, submit_once
from .submitted_forms import load_form, show_on_error

PROOF = "pages.show_account_proof"


@blueprint.get("/register/<provider_id>/")
@open_to_visitors
def show_provider_registration(provider_id: str) -> str:
    """Show the form that creates the account of an identity. Until it is sent, there is no account."""
    return render_page("register_provider.html", new_user=provider_sign_in.find_new_user(get_ticket(provider_id)))


@blueprint.post("/register/<provider_id>/")
@open_to_visitors
@show_on_error(show_provider_registration)
@submit_once
def register_with_provider(provider_id: str) -> Done:
    """Create the account of an identity and sign in, unless its email must be confirmed first."""
    ticket = get_ticket(provider_id)
    following = provider_sign_in.find_next(ticket)
    user, session = provider_sign_in.register(ticket, load_form(schemas.provider_registration))
    forgotten = (provider_cookies.ticket_name(), "/")
    if session is None:
        notice = "account_created_confirm_email_first"
        return Done(url_for("pages.show_sign_in"), notice, email=user.email, delete_cookie=forgotten)
    is_confirmed = user.email_verified_at is not None
    return Done(
        following or url_for("pages.show_account"),
        "account_created" if is_confirmed else "account_created_confirm_email",
        session_id=str(session.id),
        language=user.language,
        delete_cookie=forgotten,
    )


@blueprint.get("/link/<provider_id>/")
@open_to_visitors
def show_account_proof(provider_id: str) -> str:
    """Show how to prove that the account with the email of an identity is the user's."""
    with commit_on(ProviderDeclined):
        waiting = account_proofs.find_proof(get_ticket(provider_id))
    return _render_proof(waiting)


@blueprint.post("/link/<provider_id>/")
@open_to_visitors
@show_on_error(show_account_proof)
def prove_account(provider_id: str) -> Response:
    """Check the password of the account or the code, link the identity, and sign in."""
    ticket, typed = get_ticket(provider_id), load_form(schemas.proof_of_account)
    following, device_token = provider_sign_in.find_next(ticket), cookies.get_device_token()
    try:
        with commit_on(InvalidCredentials, InvalidMailedCode, ProviderDeclined, SecondStepNeeded):
            if "challenge" in typed:
                session, is_claimed = account_proofs.link_by_code(
                    ticket, typed["challenge"], typed["code"], device_token
                )
            else:
                session = account_proofs.link_by_password(ticket, typed["password"], device_token=device_token)
                is_claimed = False
    except SecondStepNeeded as needed:
        return second_step_cookie.redirect_to_second_step(needed, url_for(PROOF, provider_id=provider_id))
    _flash_linked(provider_id)
    if is_claimed:
        flash(notices.TEXTS["account_claimed"])
    response = respond_signed_in(session, following or url_for("pages.show_account"))
    return proof_cookie.delete_cookie(provider_cookies.delete_ticket(provider_cookies.delete_browser_cookie(response)))


@blueprint.post("/link/<provider_id>/code/")
@open_to_visitors
@show_on_error(show_account_proof)
def request_account_code(provider_id: str) -> Response:
    """Send a code to the email address of the account, and continue with the form for it."""
    ticket = get_ticket(provider_id)
    with commit_on(ProviderDeclined):
        challenge = account_proofs.request_code(ticket)
    db.session.commit()
    response = redirect_to(PROOF, provider_id=provider_id)
    return proof_cookie.set_cookie(response, visits.digest(ticket), {"challenge": str(challenge)})


@blueprint.post("/link/<provider_id>/signed-in/")
@submit_once
def link_to_own_account(provider_id: str) -> Done:
    """Link the identity to the account that the user has just signed in to in another way."""
    ticket = get_ticket(provider_id)
    following = provider_sign_in.find_next(ticket)
    account_proofs.link_to_caller(ticket, get_caller())
    return Done(
        following or url_for("pages.show_security"),
        "identity_linked",
        delete_cookie=(provider_cookies.ticket_name(), "/"),
    )


def _render_proof(waiting: ProofOfAccount) -> str:
    caller = find_caller()
    return render_page(
        "link_provider.html",
        waiting=waiting,
        is_own_account=caller is not None and caller.user.id == waiting.account.id and not waiting.must_claim,
        challenge=request.form.get("challenge") or proof_cookie.read(visits.digest(waiting.ticket)).get("challenge"),
    )


def get_ticket(provider_id: str) -> str:
    """The ticket of this browser, if it is of this provider.

    Raises:
        UnknownProvider: the settings do not name the provider.
        VisitExpired: there is no valid ticket, or it is of another provider.
    """
    ticket = provider_cookies.get_ticket()
    provider_sign_in.require_ticket_of(provider_id, ticket)
    return ticket


def _flash_linked(provider_id: str) -> None:
    flash(_("You can now sign in with %(provider)s.", provider=identity_changes.name_of(provider_id)))
