"""The TypeScript client signs users in and out, and keeps them signed in whatever the network loses."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.app_stack import post, register, tokens_for
from tests.support.factories import PASSWORD, make_account
from tests.support.forged_tokens import forge_token, read_claims
from tests.support.local_site import LocalSite, run_local_site
from tests.support.lossy_proxy import Loss, LossyProxy, lossy_proxy
from tests.support.two_steps import Owner, make_owner
from tests.support.typescript_client import Evaluate

pytestmark = pytest.mark.slow

REFRESH = "/api-token-refresh/"
OWN_USER = "/userapi/auth/user/"

#: A client of a signed-in user, whose tokens a script can read and write, and the events of its end.
SIGNED_IN = """
    const storage = memoryStorage();
    const client = createClient({ baseUrl: SITE, storage });
    await client.adopt(tokens);
    const ends = [];
    client.onSignedOut((event) => ends.push(event.problem?.code ?? event.reason));
    const read = async () => (await client.fetch("/userapi/auth/user/")).status;
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSite]:
    with run_local_site(tmp_path_factory.mktemp("typescript-site")) as site:
        yield site


@pytest.fixture
def proxy(site: LocalSite) -> Iterator[LossyProxy]:
    with lossy_proxy(site.url) as proxy:
        yield proxy


@pytest.fixture
def tokens(site: LocalSite) -> dict[str, Any]:
    """The tokens of a new user."""
    return tokens_for(site.url, register(site.url))


def with_changed_claims(site: LocalSite, tokens: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The tokens with other claims in the access token, which the service accepts as its own."""
    claims = read_claims(tokens["access_token"]) | changes
    return tokens | {"access_token": forge_token(site.app.config["JWT_KEY_DIR"], claims)}


def expired(site: LocalSite, tokens: dict[str, Any]) -> dict[str, Any]:
    """The tokens with an access token that has expired for the service, while the client does not know it."""
    return with_changed_claims(site, tokens, exp=int(time.time()) - 1)


def test_a_user_signs_in_reads_changes_and_signs_out(site: LocalSite, evaluate: Evaluate) -> None:
    seen = evaluate(
        """
        const client = createClient({ baseUrl: SITE });
        const before = await client.isSignedIn();
        const result = await client.signIn({ email, password });
        const me = await client.json("/userapi/auth/user/", { method: "PATCH", json: { first_name: "Cora" } });
        const token = await client.accessToken();
        await client.signOut();
        const after = await client.fetch("/userapi/auth/user/").catch((error) => error.name);
        const headers = { Authorization: `Bearer ${token}` };
        const ended = await client.fetch("/userapi/auth/user/", { anonymous: true, headers });
        return [before, result.outcome, result.user.email, me.first_name, after, ended.status];
        """,
        SITE=site.url, email=(email := make_account(site.app)), password=PASSWORD,
    )  # fmt: skip

    assert seen == [False, "signed_in", email, "Cora", "SignedOutError", 401]


def test_errors_have_the_code_and_the_fields_of_the_problem(site: LocalSite, evaluate: Evaluate) -> None:
    seen = evaluate(
        """
        const client = createClient({ baseUrl: SITE });
        const wrong = await client.signIn({ email, password: "wrong" }).catch((error) => error);
        const json = { email: "no address", password, profile: null };
        const invalid = await client.json("/userapi/users/", { anonymous: true, json }).catch((error) => error);
        return [wrong instanceof ProblemError, wrong.status, wrong.code, invalid.code, Object.keys(invalid.errors)];
        """,
        SITE=site.url, email=make_account(site.app), password=PASSWORD,
    )  # fmt: skip

    assert seen == [True, 401, "invalid_credentials", "validation_failed", ["email", "profile"]]


def test_a_second_step_is_a_result_and_can_be_tried_again(site: LocalSite, evaluate: Evaluate) -> None:
    owner: Owner = make_owner(site.app)

    seen = evaluate(
        """
        const client = createClient({ baseUrl: SITE });
        const first = await client.signIn(credentials);
        const between = await client.isSignedIn();
        const wrong = await client.finishSignIn(first.mfaToken, { code: wrongCode }).catch((error) => error.code);
        const last = await client.finishSignIn(first.mfaToken, { code, remember_device: true });
        const next = await client.signIn({ ...credentials, device_token: last.deviceToken });
        return [first.outcome, first.ways, between, wrong, last.outcome, last.user.id, next.outcome];
        """,
        SITE=site.url, credentials=owner.credentials, code=owner.phone.code(), wrongCode=owner.phone.wrong_code(),
    )  # fmt: skip

    ways = ["totp", "recovery_code"]
    assert seen == ["second_step", ways, False, "invalid_code", "signed_in", owner.id, "signed_in"]


def test_a_proof_that_is_needed_is_an_error_of_its_own_and_keeps_the_user_signed_in(
    site: LocalSite, tokens: dict[str, Any], evaluate: Evaluate
) -> None:
    an_hour_ago = int(time.time()) - 3600

    seen = evaluate(
        SIGNED_IN
        + """
        const ask = () => client.json("/userapi/auth/data/");
        const needed = await ask().catch((error) => error);
        const wrong = await client.prove({ password: "wrong" }).catch((error) => error.code);
        const { acr } = await client.prove({ password });
        const { account } = await ask();
        later(1000);
        return [needed instanceof ProofNeededError, needed.ways, needed.acr, wrong, acr, await read(), ends];
        """,
        SITE=site.url, tokens=with_changed_claims(site, tokens, auth_time=an_hour_ago), password=PASSWORD,
    )  # fmt: skip

    assert seen == [True, ["password"], "aal1", "invalid_credentials", "aal1", 200, []]


def test_twenty_requests_with_an_expired_token_refresh_once(
    site: LocalSite, proxy: LossyProxy, tokens: dict[str, Any], evaluate: Evaluate
) -> None:
    seen = evaluate(
        SIGNED_IN + "return [await Promise.all(Array.from({ length: 20 }, read)), ends];",
        SITE=proxy.url, tokens=expired(site, tokens),
    )  # fmt: skip

    assert seen == [[200] * 20, []]
    assert proxy.count(REFRESH) == 1


def test_a_request_is_sent_again_with_its_body_after_a_refresh(
    site: LocalSite, tokens: dict[str, Any], evaluate: Evaluate
) -> None:
    seen = evaluate(
        SIGNED_IN
        + """
        const headers = { "Content-Type": "application/json" };
        const body = JSON.stringify({ first_name: "Cora" });
        const request = new Request(`${SITE}/userapi/auth/user/`, { method: "PATCH", headers, body });
        return (await (await client.fetch(request)).json()).first_name;
        """,
        SITE=site.url, tokens=expired(site, tokens),
    )  # fmt: skip

    assert seen == "Cora"


def test_a_token_is_refreshed_before_it_expires(proxy: LossyProxy, tokens: dict[str, Any], evaluate: Evaluate) -> None:
    seen = evaluate(
        SIGNED_IN
        + """
        later(tokens.expires_in - 20);
        const soon = [await client.accessToken() === tokens.access_token, await read()];
        await client.signOut(); // waits until the refresh is done
        return soon;
        """,
        SITE=proxy.url, tokens=tokens,
    )  # fmt: skip

    assert seen == [True, 200]
    assert proxy.count(REFRESH) == 1


def test_a_token_that_has_expired_is_refreshed_before_it_is_sent(
    proxy: LossyProxy, tokens: dict[str, Any], evaluate: Evaluate
) -> None:
    seen = evaluate(SIGNED_IN + "later(tokens.expires_in + 1); return read();", SITE=proxy.url, tokens=tokens)

    assert seen == 200
    assert proxy.requests == [f"POST {REFRESH}", f"GET {OWN_USER}"]


@pytest.mark.parametrize("losses", [[Loss.RESPONSE], [Loss.REQUEST, Loss.RESPONSE, Loss.RESPONSE]])
def test_a_refresh_whose_response_is_lost_is_sent_again_with_the_same_token(
    site: LocalSite, proxy: LossyProxy, tokens: dict[str, Any], evaluate: Evaluate, losses: list[Loss]
) -> None:
    proxy.losses[REFRESH] = list(losses)

    seen = evaluate(
        SIGNED_IN
        + """
        const statuses = await Promise.all([read(), read()]);
        const { refreshToken } = storage.read();
        later(1000);
        return [statuses, await read(), storage.read().refreshToken !== refreshToken, ends];
        """,
        SITE=proxy.url, tokens=expired(site, tokens),
    )  # fmt: skip

    assert seen == [[200, 200], 200, True, []]
    assert proxy.count(REFRESH) == len(losses) + 2


def test_a_refresh_that_fails_for_now_keeps_the_user_signed_in(
    site: LocalSite, proxy: LossyProxy, tokens: dict[str, Any], evaluate: Evaluate
) -> None:
    proxy.losses[REFRESH] = [Loss.REQUEST] * 3

    seen = evaluate(
        SIGNED_IN.replace("storage }", "storage, retryWindow: 0.5 }")
        + """
        const failed = await Promise.all([read(), read()].map((status) => status.catch((error) => error.name)));
        return [failed, await client.isSignedIn(), await client.signOut().then(() => ends)];
        """,
        SITE=proxy.url, tokens=expired(site, tokens),
    )  # fmt: skip

    assert seen == [["TypeError", "TypeError"], True, ["signed_out"]]
    assert proxy.count(REFRESH) == 2


def test_the_next_user_can_sign_in_while_a_sign_out_has_no_response(
    proxy: LossyProxy, tokens: dict[str, Any], evaluate: Evaluate
) -> None:
    proxy.delay = 3

    seen = evaluate(
        SIGNED_IN
        + """
        const began = performance.now();
        const out = client.signOut();
        await client.adopt(tokens);
        const took = performance.now() - began;
        await out;
        return [took < 2000, await client.isSignedIn(), ends];
        """,
        SITE=proxy.url, tokens=tokens,
    )  # fmt: skip

    assert seen == [True, True, ["signed_out"]]


def test_a_session_that_has_ended_is_reported_once_and_its_refresh_token_is_not_sent_again(
    site: LocalSite, proxy: LossyProxy, tokens: dict[str, Any], evaluate: Evaluate
) -> None:
    assert post(site.url, "/userapi/auth/logout/", {"refresh_token": tokens["refresh_token"]}).status == 200

    seen = evaluate(
        SIGNED_IN
        + """
        const attempt = () => read().catch((error) => error.name);
        const all = await Promise.all(Array.from({ length: 20 }, attempt));
        return [[...new Set(all)], await attempt(), await client.isSignedIn(), ends];
        """,
        SITE=proxy.url, tokens=tokens,
    )  # fmt: skip

    assert seen == [["SignedOutError"], "SignedOutError", False, ["token_revoked"]]
    assert proxy.count(REFRESH) == 1


def test_a_used_refresh_token_ends_the_session_with_the_code_of_the_service(
    site: LocalSite, tokens: dict[str, Any], evaluate: Evaluate
) -> None:
    newer = post(site.url, REFRESH, {"refresh_token": tokens["refresh_token"]}).body
    post(site.url, REFRESH, {"refresh_token": newer["refresh_token"]})

    seen = evaluate(
        SIGNED_IN + "const name = await read().catch((error) => error.problem.code); return [name, ends];",
        SITE=site.url, tokens=expired(site, tokens),
    )  # fmt: skip

    assert seen == ["token_reused", ["token_reused"]]


@pytest.mark.parametrize(
    ("is_named", "status", "requests"), [(True, 200, [f"GET {OWN_USER}"]), (False, "TypeError", [])]
)
def test_other_origins_get_the_token_only_if_they_are_named(
    site: LocalSite, proxy: LossyProxy, tokens: dict[str, Any], evaluate: Evaluate, is_named: bool, status: Any,
    requests: list[str],
) -> None:  # fmt: skip
    seen = evaluate(
        """
        const client = createClient({ baseUrl: SITE, origins });
        await client.adopt(tokens);
        return client.fetch(`${OTHER}/userapi/auth/user/`).then(({ status }) => status, ({ name }) => name);
        """,
        SITE=site.url, OTHER=proxy.url, origins=[proxy.url] if is_named else [], tokens=tokens,
    )  # fmt: skip

    assert (seen, proxy.requests) == (status, requests)


def test_an_api_key_goes_to_the_service_alone_and_other_services_get_a_token_for_it(
    site: LocalSite, proxy: LossyProxy, tokens: dict[str, Any], evaluate: Evaluate
) -> None:
    created = post(
        site.url, "/userapi/auth/keys/", {"name": "Report", "scopes": ["profile"]}, token=tokens["access_token"]
    ).body

    seen = evaluate(
        """
        const sent = [];
        const send = (...request) => {
          const { url, headers } = new Request(...request);
          sent.push([new URL(url).pathname, headers.get("Authorization")?.slice(7) ?? null]);
          return fetch(...request);
        };
        const client = createClient({ baseUrl: SITE, apiKey: key, origins: [OTHER], fetch: send });
        const user = await client.json("/userapi/auth/user/");
        const read = async () => (await client.fetch(`${OTHER}/userapi/auth/user/`)).status;
        const statuses = await Promise.all([read(), read()]);
        const token = await client.accessToken();
        const claims = JSON.parse(atob(token.split(".")[1]));
        const names = { [key]: "key", [token]: "token" };
        const sentTokens = sent.map(([path, sentToken]) => [path, names[sentToken] ?? null]);
        return [user.first_name, statuses, claims.client_id, claims.scope, sentTokens];
        """,
        SITE=site.url, OTHER=proxy.url, key=created["key"],
    )  # fmt: skip

    exchange, own_user = "/api-token-auth/", OWN_USER
    assert seen[:4] == ["Wren", [200, 200], created["id"], "profile"]
    assert seen[4] == [[own_user, "key"], [exchange, None], [own_user, "token"], [own_user, "token"]]


def test_an_api_key_does_not_go_to_what_is_beside_a_service_below_a_path(evaluate: Evaluate) -> None:
    seen = evaluate(
        """
        const sent = [];
        const send = async (...request) => {
          const { url, headers } = new Request(...request);
          sent.push([new URL(url).pathname, headers.get("Authorization")]);
          return Response.json({ access_token: "token", expires_in: 900 });
        };
        const client = createClient({ baseUrl: "https://example.com/accounts/", apiKey: "key", fetch: send });
        await client.fetch("/userapi/users/");
        for (const path of ["/shop/", "/accounts-of-others/"]) await client.fetch(`https://example.com${path}`);
        await client.fetch("/../shop/");
        return sent;
        """
    )

    assert seen == [
        ["/accounts/userapi/users/", "Bearer key"],
        ["/accounts/api-token-auth/", None],
        ["/shop/", "Bearer token"],
        ["/accounts-of-others/", "Bearer token"],
        ["/shop/", "Bearer token"],
    ]
