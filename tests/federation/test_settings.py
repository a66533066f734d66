"""Settings of providers: what is wrong is named, and without providers nothing of them is loaded."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from flask import Flask

import config
from tests.support.app_config import SECRET_KEY
from tests.support.fake_provider import SETTINGS
from userapi.core.environment import ConfigurationError
from userapi.federation import providers
from userapi.settings import load


def settings(**values: str) -> dict[str, object]:
    return load({"SECRET_KEY": SECRET_KEY, **SETTINGS, **values})


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"PROVIDERS": "Acme"}, "PROVIDERS"),
        ({"PROVIDERS": "acme,acme"}, "PROVIDERS"),
        ({"PROVIDERS": "passkey"}, "PROVIDERS"),
        ({"PROVIDERS": "google"}, "PROVIDER_GOOGLE_CLIENT_ID"),
        ({"PROVIDER_ACME_ISSUER": ""}, "PROVIDER_ACME_ISSUER"),
        ({"PROVIDER_ACME_ISSUER": "login.acme.example"}, "PROVIDER_ACME_ISSUER"),
        ({"PROVIDER_ACME_ISSUER": "http://login.acme.example"}, "PROVIDER_ACME_ISSUER"),
        ({"PROVIDER_ACME_ISSUER": "http://127.0.0.1:9000"}, "PROVIDER_ACME_ISSUER"),
        ({"PROVIDER_ACME_ISSUER": "https://login.acme.example/?a=b"}, "PROVIDER_ACME_ISSUER"),
        ({"PROVIDER_ACME_ISSUER": "https://login.acme.example#a"}, "PROVIDER_ACME_ISSUER"),
        ({"PROVIDER_ACME_ISSUER": "https://login.acme.example:x"}, "PROVIDER_ACME_ISSUER"),
        ({"PROVIDER_ACME_CLIENT_SECRET": ""}, "PROVIDER_ACME_CLIENT_SECRET"),
        ({"PROVIDER_ACME_SCOPES": "email profile"}, "PROVIDER_ACME_SCOPES"),
        ({"PROVIDER_ACME_LINKS": "always"}, "PROVIDER_ACME_LINKS"),
        ({"PROVIDER_ACME_PRESET": "okta"}, "PROVIDER_ACME_PRESET"),
        ({"PROVIDER_ACME_TENANT": "common"}, "PROVIDER_ACME_TENANT"),
        ({"PROVIDER_ACME_PRESET": "microsoft", "PROVIDER_ACME_TENANT": "contoso"}, "PROVIDER_ACME_TENANT"),
        ({"PROVIDER_ACME_PRESET": "github", "PROVIDER_ACME_NATIVE_CLIENT_IDS": "a"}, "PROVIDER_ACME_NATIVE_CLIENT_IDS"),
        ({"PROVIDER_ACME_PRESET": "apple"}, "PROVIDER_ACME_TEAM_ID"),
        ({"PROVIDER_ACME_TOKEN_AUTH": "private_key_jwt", "PROVIDER_ACME_KEY": "no key"}, "PROVIDER_ACME_KEY"),
        ({"PROVIDER_ACME_TOKEN_AUTH": "none"}, "PROVIDER_ACME_TOKEN_AUTH"),
        ({"PROVIDER_ACME_REGISTERS": "perhaps"}, "PROVIDER_ACME_REGISTERS"),
        ({"PROVIDER_RETURN_URLS": "http://app.example.com/"}, "PROVIDER_RETURN_URLS"),
        ({"PROVIDER_RETURN_URLS": "javascript:alert(1)"}, "PROVIDER_RETURN_URLS"),
        ({"PROVIDER_RETURN_URLS": "https://a@app.example.com/"}, "PROVIDER_RETURN_URLS"),
        ({"PROVIDER_RETURN_URLS": "https://app.example.com/#a"}, "PROVIDER_RETURN_URLS"),
        ({"RATELIMIT_PROVIDER_START": "often"}, "RATELIMIT_PROVIDER_START"),
    ],
)
def test_I53_a_wrong_setting_stops_the_start_and_is_named(values: dict[str, str], name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name}: "):
        settings(**values)


def test_I53_four_settings_are_enough_and_secrets_are_not_shown() -> None:
    (acme,) = settings(PROVIDER_ACME_NAME="Acme Inc.")["PROVIDERS"]  # type: ignore[misc]

    assert (acme.name, acme.scopes, acme.registers) == ("Acme Inc.", ("openid", "email", "profile"), True)
    assert "not so secret" not in repr(acme)
    assert str(acme) == "acme"


def test_I39_a_browser_returns_only_to_registered_urls(make_app: Callable[..., Flask]) -> None:
    urls = "https://app.example.com/signed-in,http://127.0.0.1/cb,com.example.app:/cb"
    app = make_app(**SETTINGS, PROVIDER_RETURN_URLS=urls)
    accepted = [*urls.split(","), "http://127.0.0.1:52001/cb"]
    rejected = [
        "",
        "/signed-in",
        "//app.example.com/signed-in",
        "https://app.example.com/signed-in/",
        "https://app.example.com/signed-in?next=1",
        "https://app.example.com:8443/signed-in",
        "https://app.example.com.evil.example/signed-in",
        "https://app.example.com@evil.example/signed-in",
        "https://evil.example\\@app.example.com/signed-in",
        "HTTPS://APP.EXAMPLE.COM/signed-in",
        "http://app.example.com/signed-in",
        "http://127.0.0.1:52001/cb/../evil",
        "http://127.0.0.1:52001/cb#a",
        "http://127.0.0.1:52001@evil.example/cb",
        "http://127.0.0.1:x/cb",
        "http://127.0.0.1\\.evil.example/cb",
        "http://localhost:52001/cb",
        "http://[::1]:52001/cb",
        "com.example.app:/cb2",
        "javascript:alert(1)",
    ]

    with app.app_context():
        assert [url for url in accepted if not providers.is_return_url(url)] == []
        assert [url for url in rejected if providers.is_return_url(url)] == []


def test_I53_without_providers_nothing_of_them_is_loaded() -> None:
    program = (
        "import sys; from userapi import serving; "
        "from userapi.core.provider_settings import PRESETS; "
        "print([n for n in sys.modules if n in ('joserfc', 'requests') or n.removeprefix(sys.argv[1]) in PRESETS])"
    )
    environment = {"SECRET_KEY": SECRET_KEY, "DATABASE_URL": "sqlite:////tmp/unused.db", "PATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", program, "userapi.federation.presets."],
        capture_output=True,
        text=True,
        cwd=config.ROOT,
        env=environment,
        check=False,
    )
    assert ran.stdout.strip() == "[]", ran.stderr
