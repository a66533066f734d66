"""Authorization requests: which are answered, where, and with what."""

import re
from datetime import timedelta

import pytest
from flask import Flask

from tests.support.factories import PASSWORD, make_user, new_user
from tests.support.form_browser import FormBrowser, hidden_value
from tests.support.relying_party import CALLBACK, RelyingParty, answer_of, claims_of, make_client
from tests.support.sql import execute_sql
from userapi.core import clock

#: Almost the registered redirect URI.
NEARLY = (
    CALLBACK + "/", CALLBACK + "/x", CALLBACK + "?a=1", CALLBACK + "#x", CALLBACK.upper(),
    CALLBACK.replace("https", "http"),
    CALLBACK.replace(".com", ".com:8443"), CALLBACK.replace("/callback", "/x/../callback"),
    CALLBACK.replace("/callback", "/x;/../callback"), CALLBACK.replace("callback", "%63allback"), CALLBACK + "%2e",
    CALLBACK.replace("https://", "https://user@"), CALLBACK.replace("https://", "https://evil.example@"),
    CALLBACK.replace("https://", "https://evil.example@x@"), CALLBACK.replace("handbook", "sub.handbook"),
    CALLBACK.replace("handbook", "hаndbook"), CALLBACK.replace(".com/", ".com\\@evil.example/"), "https://evil.example/",
    "//handbook.example.com/callback", "javascript:alert(1)", "",
)  # fmt: skip


def test_a_user_signs_in_allows_the_request_and_returns_with_a_code(
    app: Flask, email: str, handbook: RelyingParty
) -> None:
    visitor = FormBrowser(app)
    begun = visitor.get(handbook.request())
    assert begun.status_code == 303
    assert begun.headers["Location"].startswith("/login/?next=/oauth/consent/")
    consent = begun.headers["Location"].partition("next=")[2]

    reached = visitor.sign_in(email, next=consent)

    assert reached.headers["Location"] == consent
    page = visitor.get(consent)
    assert "Handbook" in page.text
    assert "handbook.example.com" in page.text
    assert email in page.text
    answer = answer_of(visitor.post(consent, {"allow": "1", "csrf_token": hidden_value(page)}))
    assert answer.keys() == {"code", "state", "iss"}
    assert answer["state"] == "state of the client"
    assert handbook.exchange(answer["code"]).status_code == 200


def test_a_user_who_registers_on_the_way_returns_to_the_request(app: Flask, handbook: RelyingParty) -> None:
    visitor = FormBrowser(app)
    consent = visitor.get(handbook.request()).headers["Location"].partition("next=")[2]
    found = re.search(r'href="(/register/\?next=[^"]+)"', visitor.get(f"/login/?next={consent}").text)
    assert found
    first = visitor.get(found[1])
    typed = {"email": "newcomer@example.com", "password": PASSWORD, "next": hidden_value(first, "next")}

    second = visitor.follow(visitor.send("/register/", typed))

    assert f'href="{consent}"' in second.text  # the link that skips the second step
    rest = {"first_name": "Wren", "next": hidden_value(second, "next")}
    saved = visitor.send("/register/profile/", rest)
    assert saved.headers["Location"] == consent
    assert "Handbook" in visitor.follow(saved).text


def test_a_second_click_on_allow_leads_to_the_same_code(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    path = signed_in.get(handbook.request()).headers["Location"]
    form = {"allow": "1", "csrf_token": hidden_value(signed_in.get(path))}

    answers = [answer_of(signed_in.post(path, form)) for _click in range(2)]

    assert answers[0] == answers[1]


def test_a_user_who_does_not_allow_it_returns_with_an_error(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    path = signed_in.get(handbook.request()).headers["Location"]

    denied = answer_of(signed_in.post(path, {"deny": "1", "csrf_token": hidden_value(signed_in.get(path))}))

    assert denied == {"error": "access_denied", "state": "state of the client", "iss": "http://accounts.example.com"}


@pytest.mark.parametrize("redirect_uri", NEARLY)
def test_Q01_a_redirect_uri_that_is_not_exactly_registered_is_shown_here(
    redirect_uri: str, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    response = signed_in.get(handbook.request(redirect_uri=redirect_uri))

    assert response.status_code == 400
    assert "Location" not in response.headers
    assert "http-equiv" not in response.text


def test_Q02_a_native_client_may_use_any_port_of_a_loopback_address_only(app: Flask, signed_in: FormBrowser) -> None:
    registered = ["http://127.0.0.1/callback", "http://[::1]:8000/callback"]
    native = make_client(app, kind="native", redirect_uris=registered)
    accepted = ("http://127.0.0.1:51004/callback", "http://[::1]:51004/callback", "http://127.0.0.1/callback")
    rejected = ("http://localhost:51004/callback", "http://127.0.0.1:51004/other", "http://127.0.0.2:51004/callback")

    statuses = [signed_in.get(native.request(redirect_uri=uri)).status_code for uri in (*accepted, *rejected)]

    assert statuses == [303, 303, 303, 400, 400, 400]


@pytest.mark.parametrize(
    "change",
    [
        {"response_type": "token"},
        {"scope": ""},
        {"prompt": "everything"},
        {"request": "e30.e30."},
        {"request_uri": "https://evil.example/request"},
        {"code_challenge": None},
    ],
    ids=lambda change: "".join(change),
)
def test_Q03_an_error_is_not_sent_to_a_redirect_uri_that_is_not_registered(
    change: dict[str, str | None], signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    bad = signed_in.get(handbook.request(redirect_uri="https://evil.example/", **change))
    good = signed_in.get(handbook.request(**change))

    assert (bad.status_code, "Location" in bad.headers) == (400, False)
    assert good.status_code == 303
    assert good.headers["Location"].startswith(f"{CALLBACK}?error=")


def test_Q03_a_repeated_parameter_is_shown_here(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    response = signed_in.get(f"{handbook.request()}&state=another")

    assert (response.status_code, "Location" in response.headers) == (400, False)


@pytest.mark.parametrize("response_type", ["token", "id_token", "code token", "code id_token", "code id_token token"])
def test_Q04_no_token_is_returned_in_a_redirect(
    response_type: str, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    answer = answer_of(signed_in.get(handbook.request(response_type=response_type)))

    assert answer["error"] == "unsupported_response_type"


def test_Q04_the_response_mode_fragment_is_not_supported(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    assert answer_of(signed_in.get(handbook.request(response_mode="fragment")))["error"] == "invalid_request"


@pytest.mark.parametrize(
    "change",
    [
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": None},
        {"code_challenge": "a" * 42},
    ],
    ids=["none", "method alone", "plain", "no method", "too short"],
)
def test_Q05_a_request_without_an_S256_challenge_is_rejected(
    change: dict[str, str | None], signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    assert answer_of(signed_in.get(handbook.request(**change)))["error"] == "invalid_request"


def test_Q05_an_exempted_web_client_needs_no_challenge(app: Flask, signed_in: FormBrowser) -> None:
    old = make_client(app, requires_pkce=False)
    answer = old.authorize(signed_in, code_challenge=None, code_challenge_method=None)

    assert old.exchange(answer["code"], code_verifier="").status_code == 200


def test_Q15_no_other_user_and_no_other_site_answers_a_request(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    path = signed_in.get(handbook.request()).headers["Location"]
    page = signed_in.get(path)
    other = FormBrowser(app)
    address = str(new_user()["email"])
    make_user(app, email=address)
    other.sign_in(address)

    assert other.get(path).status_code == 410
    assert other.post(path, {"allow": "1", "csrf_token": hidden_value(other.get("/logout/"))}).status_code == 410
    assert "http-equiv" not in signed_in.post(path, {"allow": "1"}).text
    execute_sql(app, "UPDATE openid_authorizations SET expires_at = created_at")
    assert signed_in.post(path, {"allow": "1", "csrf_token": hidden_value(page)}).status_code == 410


def test_Q16_the_name_of_a_client_is_text_and_has_no_invisible_characters(app: Flask, signed_in: FormBrowser) -> None:
    bold = make_client(app, name="<b>Handbook</b>")
    page = signed_in.get(signed_in.get(bold.request()).headers["Location"])

    assert "<b>Handbook" not in page.text
    assert "&lt;b&gt;Handbook" in page.text
    assert "<bdi>handbook.example.com</bdi>" in page.text
    with pytest.raises(Exception, match="Some fields"):
        make_client(app, name="Hand\u202ebook")
    with pytest.raises(Exception, match="Some fields"):
        make_client(app, name="x" * 101)


def test_Q18_consent_is_remembered_by_user_client_and_scope(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    other = make_client(app, name="Wiki")
    handbook.authorize(signed_in, scope="openid email")

    same = signed_in.get(handbook.request(scope="openid email"))
    narrower = signed_in.get(handbook.request(scope="openid"))
    wider = signed_in.get(handbook.request(scope="openid email profile"))
    elsewhere = signed_in.get(other.request(scope="openid email", prompt="none"))

    assert "code" in answer_of(same)
    assert "code" in answer_of(narrower)
    assert wider.headers["Location"].startswith("/oauth/consent/")
    assert answer_of(elsewhere)["error"] == "consent_required"


def test_Q19_a_request_without_pages_gets_the_error_instead(
    app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    visitor = FormBrowser(app)
    tokens = handbook.sign_in(signed_in)
    address = str(new_user()["email"])
    make_user(app, email=address)
    other = FormBrowser(app)
    other.sign_in(address)

    assert answer_of(visitor.get(handbook.request(prompt="none")))["error"] == "login_required"
    hinted = handbook.request(prompt="none", id_token_hint=tokens["id_token"])
    assert answer_of(other.get(hinted))["error"] == "login_required"
    assert answer_of(other.get(handbook.request(prompt="none")))["error"] == "consent_required"
    assert "code" in answer_of(signed_in.get(hinted))


@pytest.mark.parametrize("change", [{"prompt": "login"}, {"max_age": "0"}], ids=["prompt", "max_age"])
def test_Q20_a_fresh_proof_is_required_where_the_client_wants_one(
    change: dict[str, str], app: Flask, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    execute_sql(app, "UPDATE login_sessions SET proved_at = :then", then=clock.now() - timedelta(minutes=5))
    first = handbook.sign_in(signed_in)

    path = signed_in.get(handbook.request(**change)).headers["Location"]
    gate = signed_in.get(path).headers["Location"]
    assert gate.startswith("/prove/?next=/oauth/consent/")
    proved = signed_in.send(gate, {"password": PASSWORD, "next": path})
    assert proved.headers["Location"] == path
    second = handbook.exchange(answer_of(signed_in.get(path))["code"]).get_json()

    assert claims_of(second["id_token"])["auth_time"] > claims_of(first["id_token"])["auth_time"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://evil.example/request"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
    ],
)
def test_Q21_parameters_that_lead_elsewhere_are_not_supported(
    change: dict[str, str], error: str, signed_in: FormBrowser, handbook: RelyingParty
) -> None:
    assert answer_of(signed_in.get(handbook.request(**change)))["error"] == error


def test_Q22_every_answer_names_the_issuer(signed_in: FormBrowser, handbook: RelyingParty) -> None:
    answers = [answer_of(signed_in.get(handbook.request(prompt="none"))), handbook.authorize(signed_in)]

    assert [answer["iss"] for answer in answers] == ["http://accounts.example.com"] * 2
