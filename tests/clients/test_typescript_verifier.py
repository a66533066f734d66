"""Another service verifies tokens with the TypeScript client, also while the accounts service does not respond."""

import hmac
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import processes
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support import commands, http_server
from tests.support.app_stack import register, tokens_for
from tests.support.forged_tokens import encode_segment, forge_token, read_claims, valid_header
from tests.support.lossy_proxy import LossyProxy, lossy_proxy
from tests.support.typescript_client import Evaluate
from userapi.security.signing_keys import KeyRing

pytestmark = pytest.mark.slow

KEYS = "/.well-known/jwks.json"

#: A verifier, and what it says about a token: the id of the user, or the name of the error.
VERIFIER = """
    const verify = createVerifier({ issuer: SITE, audience: "userapi", keysUrl: KEYS });
    const check = (token) => verify(token).then(({ sub }) => sub, ({ name }) => name);
"""

#: Two verifiers that have read the keys.
PRIMED = """
    const verifier = (verify) => (token) => verify(token).then(({ sub }) => sub, ({ name }) => name);
    const options = { issuer: SITE, audience: "userapi", keysUrl: KEYS };
    globalThis.check = verifier(createVerifier(options));
    globalThis.checkForLong = verifier(createVerifier(options));
    await checkForLong(good);
"""


@dataclass
class Issuer:
    """A service that a test can stop and start again.

    Attributes:
        keys: the folder with its signing keys.
        tokens: those of a user.
    """

    server: http_server.Server
    keys: Path
    tokens: dict[str, Any]

    @property
    def url(self) -> str:
        return self.server.url

    def forge(self, header: Any = None, key: ec.EllipticCurvePrivateKey | None = None, **changes: Any) -> str:
        """Its access token with other claims, another header or another key."""
        claims = read_claims(self.tokens["access_token"]) | changes
        return forge_token(str(self.keys), claims, header, key)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("issuer")
    return commands.environment(f"sqlite:///{folder}/site.db", folder, PORT=str(processes.free_port()), WORKERS="1")


@pytest.fixture(scope="module")
def running(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    with http_server.run_server(tmp_path_factory.mktemp("log"), environment) as server:
        tokens = tokens_for(server.url, register(server.url))
        yield Issuer(server, Path(environment["JWT_KEY_DIR"]), tokens)


@pytest.fixture
def proxy(running: Issuer) -> Iterator[LossyProxy]:
    with lossy_proxy(running.url) as proxy:
        yield proxy


def test_only_access_tokens_of_this_service_for_this_audience_are_accepted(
    running: Issuer, proxy: LossyProxy, evaluate: Evaluate
) -> None:
    other_key = ec.generate_private_key(ec.SECP256R1())
    public = KeyRing(running.keys).newest().public
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    claims, header = read_claims(running.tokens["access_token"]), valid_header(str(running.keys))
    no_kid = {name: value for name, value in header.items() if name != "kid"}
    now = int(time.time())
    forged = {
        "a refresh token": running.tokens["refresh_token"],
        "another key": running.forge(key=other_key),
        "an unknown key id": running.forge(header | {"kid": "theirs"}, other_key),
        "no key id": running.forge(no_kid),
        "its own key in the header": running.forge(no_kid | {"jwk": jwt.algorithms.ECAlgorithm.to_jwk(public, True)}),
        "not signed": jwt.encode(claims, None, "none", headers={"kid": header["kid"]}),
        "HS256 with the public key": forge_hs256(claims, header, pem),
        "another issuer": running.forge(iss="https://accounts.example.com"),
        "another audience": running.forge(aud="userapi-web"),
        "expired": running.forge(exp=now - 1),
        "not yet valid": running.forge(nbf=now + 120),
        "without a session": running.forge(sid=None),
        "cut": running.tokens["access_token"][:-10],
        "nothing": "",
    }

    seen = evaluate(
        VERIFIER
        + """
        const results = {};
        for (const [name, token] of Object.entries(forged)) results[name] = await check(token);
        return [await check(good), results];
        """,
        SITE=running.url, KEYS=proxy.url + KEYS, forged=forged, good=running.forge(nbf=now + 30),
    )  # fmt: skip

    assert seen == [claims["sub"], dict.fromkeys(forged, "InvalidTokenError")]
    assert proxy.count(KEYS) == 1


def forge_hs256(claims: dict[str, Any], header: dict[str, Any], secret: bytes) -> str:
    """A token signed with a secret, as libraries accept it that take the algorithm from the token."""
    message = f"{encode_segment(header | {'alg': 'HS256'})}.{encode_segment(claims)}"
    return f"{message}.{encode_segment(hmac.digest(secret, message.encode(), 'sha256'))}"


def test_unknown_key_ids_read_the_keys_once_in_30_seconds(
    running: Issuer, proxy: LossyProxy, evaluate: Evaluate
) -> None:
    unknown = running.forge(valid_header(str(running.keys)) | {"kid": "theirs"})

    seen = evaluate(
        VERIFIER
        + """
        await check(good);
        const flood = async () => new Set(await Promise.all(Array.from({ length: 5000 }, () => check(unknown))));
        const names = [...await flood(), ...await flood()];
        later(31);
        names.push(...await flood());
        return [names, await check(good)];
        """,
        SITE=running.url, KEYS=proxy.url + KEYS, good=running.tokens["access_token"], unknown=unknown,
    )  # fmt: skip

    assert seen == [["InvalidTokenError"] * 3, read_claims(running.tokens["access_token"])["sub"]]
    assert proxy.count(KEYS) == 2


def test_keys_that_were_read_while_the_clock_was_wrong_are_read_again_after_five_minutes(
    running: Issuer, proxy: LossyProxy, evaluate: Evaluate
) -> None:
    values = {"SITE": running.url, "KEYS": proxy.url + KEYS, "good": running.tokens["access_token"]}
    evaluate("setClock(7200);" + PRIMED, **values)

    seen = [evaluate(f"later({seconds}); return checkForLong(good);", **values) for seconds in (1, 301)]

    assert seen == [read_claims(values["good"])["sub"]] * 2
    assert proxy.count(KEYS) == 2


def test_sessions_that_webhooks_name_are_rejected_before_their_tokens_expire(
    running: Issuer, evaluate: Evaluate
) -> None:
    now = int(time.time())
    started = datetime.fromtimestamp(now - 60, UTC).isoformat()
    user = {"id": 7, "url": "https://accounts.example.com/userapi/users/7/"}
    events = [
        {"type": "session.ended", "timestamp": started, "data": {"user": user, "sessions": ["one"]}},
        {"type": "user.deleted", "timestamp": started, "data": {"user": {**user, "id": 8}}},
        {"type": "service_account.deleted", "timestamp": started, "data": {"user": {**user, "id": 10}}},
        {"type": "user.changed", "timestamp": started, "data": {"user": {**user, "id": 9}}},
    ]
    tokens = [
        running.forge(sub="7", sid="one"), running.forge(sub="7", sid="another"), running.forge(sub="8", iat=now - 61),
        running.forge(sub="8", iat=now - 59), running.forge(sub="9", iat=now - 61),
        running.forge(sub="10", iat=now - 61),
    ]  # fmt: skip

    seen = evaluate(
        """
        const endedSessions = createEndedSessions();
        const verify = createVerifier({ issuer: SITE, audience: "userapi", endedSessions });
        const check = (token) => verify(token).then(() => true, ({ message }) => message);
        const before = await Promise.all(tokens.map(check));
        for (const event of events) await endedSessions.handle(event);
        return [new Set(before).size, await Promise.all(tokens.map(check))];
        """,
        SITE=running.url, events=events, tokens=tokens,
    )  # fmt: skip

    ended = "The session has ended."
    assert seen == [1, [ended, True, ended, True, True, ended]]


def test_a_slow_service_delays_no_token_whose_key_is_known(
    running: Issuer, proxy: LossyProxy, evaluate: Evaluate
) -> None:
    values = {"SITE": running.url, "KEYS": proxy.url + KEYS, "good": running.forge(exp=int(time.time()) + 3600)}
    evaluate(PRIMED + "await check(good)", **values)
    proxy.delay = 3

    seen = evaluate(
        """
        later(301);
        const took = async () => {
          const began = performance.now();
          await check(good);
          return performance.now() - began;
        };
        const first = await took();
        return [first < 2500, await took() < first / 2];
        """,
        **values,
    )

    assert seen == [True, True]


def test_keys_are_used_for_a_day_while_the_service_is_away_and_no_longer_once_it_withdraws_them(
    running: Issuer, environment: dict[str, str], evaluate: Evaluate, tmp_path: Path
) -> None:
    withdrawn = KeyRing(running.keys).newest()
    values = {"SITE": running.url, "KEYS": running.url + KEYS, "good": running.forge(exp=int(time.time()) + 200_000)}
    sub = evaluate(PRIMED + "return check(good);", **values)
    running.server.stop()

    away = evaluate(
        """
        later(301);
        const soon = await check(good);
        later(80_000);
        const late = await checkForLong(good);
        later(10_000);
        return [soon, late, await checkForLong(good)];
        """,
        **values,
    )
    KeyRing(running.keys).add()
    KeyRing(running.keys).remove(withdrawn.name)
    with http_server.run_server(tmp_path, environment):
        back = evaluate("later(602); return check(good);", **values)

    assert away == [sub, sub, "KeysUnavailableError"]
    assert back == "InvalidTokenError"
