"""Only one function begins sessions, so that no way in can forget a step that is due (decision 0048)."""

import ast

import config

SOURCES = config.ROOT / "userapi"

#: The functions that insert a session, or issue the tokens of one, and the files that may call them.
INSERTING = {
    "begin_session": {"auth/admission.py"},
    "Session": {"auth/api_key_exchange.py", "auth/impersonation.py", "auth/sessions.py"},
    "issue_pair": {
        "auth/factor_responses.py", "auth/proof_routes.py", "auth/provider_routes.py", "auth/sign_in.py",
        "auth/sign_in_responses.py", "auth/token_routes.py", "legacy/routes.py", "pages/prove.py", "pages/signed_in.py",
    },
    "issue_for_impersonation": {"html/own_session.py"},
    "set_token_cookies": {
        "auth/factor_responses.py", "auth/proof_routes.py", "auth/provider_routes.py", "auth/sign_in_responses.py",
        "auth/token_routes.py", "html/own_session.py", "pages/prove.py", "pages/signed_in.py",
        "pages/single_submission.py",
    },
}  # fmt: skip


def callers_of(name: str) -> set[str]:
    """The files that call a function or class of this name."""
    return {
        str(path.relative_to(SOURCES))
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and name in (getattr(node.func, "id", None), getattr(node.func, "attr", None))
    }


def test_S03_sessions_tokens_and_cookies_are_created_in_few_places() -> None:
    assert {name: callers_of(name) for name in INSERTING} == INSERTING


def test_S25_sensitive_actions_lock_the_account_where_session_and_second_step_are_checked_again() -> None:
    assert callers_of("lock_active_user") == {"auth/passwords.py", "auth/proof.py"}
