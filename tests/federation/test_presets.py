"""What the presets make of the particular answers of Google, Microsoft, Apple and GitHub."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from flask import Flask
from joserfc.jwk import ECKey

from tests.support import preset_facts as facts
from tests.support.fake_provider import CLIENT_ID, FakeProvider
from tests.support.id_tokens import EC, RSA, public_keys
from tests.support.misbehaving_provider import misbehaving_provider, settings_for, use_providers
from tests.support.visits import answer, begin, failures, prove
from userapi.federation import presets, providers
from userapi.federation.assertions import Assertion
from userapi.federation.problems import ProviderAnswerInvalid, ProviderDeclined

OTHER_TENANT = "11111111-2222-3333-4444-555555555555"
CONSUMERS = "9188040d-6c67-4c5b-b112-36a304b66dad"


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    """A server that a test lets answer as one of the providers does."""
    with misbehaving_provider() as provider:
        yield provider


def use(app: Flask, fake: FakeProvider, preset: str, **settings: str) -> None:
    """Sign in with the fake as if it were the provider of a preset, with the trust that the preset has."""
    usual = settings_for(fake.issuer, preset, **settings)
    use_providers(app, **{name: value for name, value in usual.items() if not name.endswith("_TRUSTS_EMAIL")})


@pytest.mark.parametrize(
    ("claims", "trusted", "domain"),
    [
        pytest.param(facts.GOOGLE_WORKSPACE, True, "example.com", id="Workspace"),
        pytest.param(facts.GOOGLE_PERSONAL, True, None, id="gmail.com"),
        pytest.param(facts.GOOGLE_PERSONAL | {"email": "jsmith@victim.example"}, False, None, id="foreign domain"),
        pytest.param(facts.GOOGLE_PERSONAL | {"email": "j@evilgmail.com"}, False, None, id="ends like gmail.com"),
        pytest.param(facts.GOOGLE_WORKSPACE | {"email_verified": False}, False, "example.com", id="not verified"),
    ],
)
def test_I23_google_is_trusted_for_its_own_addresses_and_workspace_accounts(
    app: Flask, fake: FakeProvider, claims: dict[str, Any], trusted: bool, domain: str | None
) -> None:
    use(app, fake, "google")
    fake.claims = claims
    assertion = prove(app, fake, "google")

    assert (assertion.email, assertion.email_trusted, assertion.domain) == (claims["email"], trusted, domain)


def test_I23_a_required_domain_is_the_claim_of_google_and_not_the_address(app: Flask, fake: FakeProvider) -> None:
    use(app, fake, "google", DOMAINS="example.com")
    assert parse_qs(urlsplit(begin(app, "google").url).query)["hd"] == ["example.com"]
    fake.claims = facts.GOOGLE_WORKSPACE
    assert prove(app, fake, "google").domain == "example.com"

    for claims in (
        facts.GOOGLE_WORKSPACE | {"hd": None},
        facts.GOOGLE_WORKSPACE | {"hd": "attacker.example"},
        facts.GOOGLE_PERSONAL,
    ):
        fake.claims = claims
        with pytest.raises(ProviderDeclined):
            prove(app, fake, "google")
    assert failures(app) == ["domain"] * 3


def test_google_writes_its_issuer_with_and_without_a_scheme(app: Flask) -> None:
    use_providers(app, PROVIDERS="google", PROVIDER_GOOGLE_CLIENT_ID=CLIENT_ID, PROVIDER_GOOGLE_CLIENT_SECRET="secret")
    with app.app_context():
        preset = presets.load(providers.find("google"))

    for issuer in ("https://accounts.google.com", "accounts.google.com"):
        assert preset.is_issuer({"iss": issuer})
        assert preset.issuer_of({"iss": issuer}) == "https://accounts.google.com"
    assert not preset.is_issuer({"iss": "http://accounts.google.com"})


@pytest.mark.parametrize(
    ("owner_verified", "trusted"),
    [(True, True), (1, True), ("1", True), ("true", True), (None, False), (False, False), (0, False), ("0", False),
     ("false", False)],
)  # fmt: skip
def test_I21_microsoft_is_trusted_for_an_address_only_if_the_owner_of_its_domain_was_verified(
    app: Flask, fake: FakeProvider, owner_verified: object, trusted: bool
) -> None:
    use_microsoft(app, fake, TRUSTS_EMAIL="true")
    fake.claims |= {"xms_edov": owner_verified, "email_verified": True}
    assertion = prove_microsoft(app, fake)

    assert (assertion.email, assertion.email_trusted) == ("jane@victim.example.com", trusted)
    assert assertion.issuer == f"{fake.issuer}/{facts.MICROSOFT_TENANT}/v2.0"


def use_microsoft(app: Flask, fake: FakeProvider, **settings: str) -> None:
    """Let the fake answer as Microsoft does: its metadata are a template for all tenants."""
    usual = settings_for(fake.issuer, "microsoft", **settings)
    use_providers(app, **usual)
    template = f"{fake.issuer}/{{tenantid}}/v2.0"
    fake.metadata = {"issuer": template, "authorization_response_iss_parameter_supported": None}
    fake.claims = {**facts.MICROSOFT, "iss": f"{fake.issuer}/{facts.MICROSOFT_TENANT}/v2.0"}


def prove_microsoft(app: Flask, fake: FakeProvider) -> Assertion:
    """Make a whole visit; the answer of Microsoft has no `iss`."""
    query = fake.visit(begin(app, "microsoft").url)
    return answer(app, {name: value for name, value in query.items() if name != "iss"}, "microsoft")


@pytest.mark.parametrize(
    ("tenants", "tenant", "issued_by"),
    [
        pytest.param("", "victim", "victim", id="no UUID"),
        pytest.param("", None, facts.MICROSOFT_TENANT, id="no tenant"),
        pytest.param("", "{tenantid}", "{tenantid}", id="the template itself"),
        pytest.param("", facts.MICROSOFT_TENANT.upper(), facts.MICROSOFT_TENANT.upper(), id="upper case"),
        pytest.param("", facts.MICROSOFT_TENANT, OTHER_TENANT, id="issuer of another tenant"),
        pytest.param(OTHER_TENANT, facts.MICROSOFT_TENANT, facts.MICROSOFT_TENANT, id="tenant not accepted"),
        pytest.param("organizations", CONSUMERS, CONSUMERS, id="personal account"),
        pytest.param("consumers", facts.MICROSOFT_TENANT, facts.MICROSOFT_TENANT, id="no personal account"),
    ],
)
def test_I22_tokens_of_tenants_that_are_not_accepted_are_rejected(
    app: Flask, fake: FakeProvider, tenants: str, tenant: str | None, issued_by: str
) -> None:
    use_microsoft(app, fake, **({"TENANT": tenants} if tenants else {}))
    fake.claims |= {"tid": tenant, "iss": f"{fake.issuer}/{issued_by}/v2.0"}
    with pytest.raises(ProviderAnswerInvalid):
        prove_microsoft(app, fake)

    assert failures(app) == ["ID token: issuer"]


def test_apple_gets_a_client_secret_for_each_request_and_its_text_counts_as_true(
    app: Flask, fake: FakeProvider
) -> None:
    key: ECKey = EC
    pem = key.as_pem(private=True).decode()
    use(app, fake, "apple", TEAM_ID="DEF123GHIJ", KEY_ID="ABC123DEFG", KEY=pem, CLIENT_SECRET="")
    fake.claims, fake.keys = facts.APPLE, public_keys(RSA)
    url = begin(app, "apple").url
    assertion = prove(app, fake, "apple")
    fields = next(fields for url, fields in fake.requests if url.endswith("/token"))
    secret = jwt.decode(fields["client_secret"], key.as_pem(private=False), ["ES256"], audience=fake.issuer)

    assert parse_qs(urlsplit(url).query)["response_mode"] == ["form_post"]
    assert (assertion.email, assertion.email_trusted) == ("jane@privaterelay.appleid.com", True)
    assert jwt.get_unverified_header(fields["client_secret"])["kid"] == "ABC123DEFG"
    assert (secret["iss"], secret["sub"]) == ("DEF123GHIJ", CLIENT_ID)
    assert fields["basic_auth"] is None

    fake.claims = facts.APPLE | {"email_verified": "false"}
    assert prove(app, fake, "apple").email_trusted is False


def use_github(app: Flask, fake: FakeProvider, user: object, emails: object) -> None:
    """Let the fake answer as GitHub does: an access token, and nothing signed."""
    use(app, fake, "github")
    fake.token = {"id_token": None, **facts.GITHUB_TOKEN}
    fake.pages = {f"{fake.issuer}/api/v3/user": user, f"{fake.issuer}/api/v3/user/emails": emails}


def only(**changes: Any) -> list[dict[str, Any]]:
    """The primary address of GitHub's answer, with changes, and the others as they are."""
    return [entry | (changes if entry["primary"] else {}) for entry in facts.GITHUB_EMAILS]


@pytest.mark.parametrize(
    ("emails", "expected"),
    [
        pytest.param(facts.GITHUB_EMAILS, "octocat@example.org", id="primary and verified"),
        pytest.param(only(verified=False), None, id="not verified"),
        pytest.param(only(verified="true"), None, id="verified is a text"),
        pytest.param(only(email="583231+octocat@users.noreply.github.com"), None, id="receives no email"),
        pytest.param([], None, id="none"),
        pytest.param({"message": "Not Found"}, None, id="no list"),
    ],
)
def test_I24_the_address_of_github_is_the_primary_verified_one_and_never_that_of_the_profile(
    app: Flask, fake: FakeProvider, emails: object, expected: str | None
) -> None:
    use_github(app, fake, facts.GITHUB_USER, emails)
    assertion = prove(app, fake, "github")

    assert (assertion.subject, assertion.email, assertion.email_trusted) == ("583231", expected, expected is not None)
    assert (assertion.first_name, assertion.last_name) == ("Mona Lisa", "Octocat")
    assert any(fields.get("Authorization") == "Bearer gho_16C7e42F292c" for _url, fields in fake.requests)


@pytest.mark.parametrize("number", [None, "583231", True, 1.5])
def test_I24_an_identity_of_github_is_its_number_and_not_its_name(
    app: Flask, fake: FakeProvider, number: object
) -> None:
    use_github(app, fake, facts.GITHUB_USER | {"id": number}, facts.GITHUB_EMAILS)
    with pytest.raises(ProviderAnswerInvalid):
        prove(app, fake, "github")

    assert failures(app) == ["subject"]


def test_I24_an_error_of_github_in_a_response_with_the_status_200_is_an_error(app: Flask, fake: FakeProvider) -> None:
    use_github(app, fake, facts.GITHUB_USER, facts.GITHUB_EMAILS)
    fake.token |= facts.GITHUB_ERROR
    with pytest.raises(ProviderAnswerInvalid):
        prove(app, fake, "github")

    assert failures(app) == ["token: bad_verification_code"]
    assert fake.urls("/user") == []
