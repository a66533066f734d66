"""Passkeys belong to a host name and to sites, which settings name and requests cannot change."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

import config
from tests.support.app_config import SECRET_KEY
from userapi.health import settings


def load(**values: str) -> Any:
    return config.load({"SECRET_KEY": SECRET_KEY, "SITE_URL": "https://accounts.example.com", **values})


def test_S42_passkeys_belong_to_the_host_of_the_site_by_default() -> None:
    loaded = load()

    assert loaded["PASSKEY_RP_ID"] == "accounts.example.com"
    assert loaded["PASSKEY_ORIGINS"] == ["https://accounts.example.com"]


def test_S42_passkeys_work_on_the_front_end_if_its_host_fits() -> None:
    shop, other = "https://accounts.example.com:8443/shop", "https://shop.example.org"

    assert load(FRONTEND_URL=shop)["PASSKEY_ORIGINS"] == [
        "https://accounts.example.com",
        "https://accounts.example.com:8443",
    ]
    assert load(FRONTEND_URL=other)["PASSKEY_ORIGINS"] == ["https://accounts.example.com"]


def test_S42_several_sites_can_share_passkeys() -> None:
    app = "android:apk-key-hash:pNiP5iKyQ8JwgGOaKA1zGPUPJIS-0H1xKCQcfIoGLck"

    loaded = load(PASSKEY_RP_ID="example.com", PASSKEY_ORIGINS=f"https://shop.example.com,{app}")

    assert loaded["PASSKEY_RP_ID"] == "example.com"
    assert loaded["PASSKEY_ORIGINS"] == ["https://shop.example.com", app]


@pytest.mark.parametrize("site", ["http://127.0.0.1:8000", "http://[::1]:8000", "https://192.0.2.7"])
def test_a_site_at_an_ip_address_starts_and_has_no_passkeys(site: str) -> None:
    loaded = load(SITE_URL=site)

    assert loaded["PASSKEY_RP_ID"] == ""
    assert loaded["PASSKEY_ORIGINS"] == []


def test_localhost_can_have_passkeys() -> None:
    assert load(SITE_URL="http://localhost:8000")["PASSKEY_ORIGINS"] == ["http://localhost:8000"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"PASSKEY_RP_ID": "example.org"}, "PASSKEY_RP_ID, PASSKEY_ORIGINS: example.org must be the host of an origin"),
        ({"PASSKEY_RP_ID": "com"}, "PASSKEY_RP_ID, PASSKEY_ORIGINS: com must be"),
        ({"PASSKEY_RP_ID": "ccounts.example.com"}, "PASSKEY_RP_ID, PASSKEY_ORIGINS: "),
        ({"PASSKEY_RP_ID": "https://example.com"}, "PASSKEY_RP_ID: "),
        ({"PASSKEY_RP_ID": "Example.com"}, "PASSKEY_RP_ID: Must be a host name in lower case"),
        ({"PASSKEY_ORIGINS": "https://accounts.example.com/login"}, "PASSKEY_ORIGINS: Must be an origin"),
        ({"PASSKEY_ORIGINS": "accounts.example.com"}, "PASSKEY_ORIGINS: "),
        ({"PASSKEY_ORIGINS": "android:apk-key-hash:short"}, "PASSKEY_ORIGINS: "),
        ({"PASSKEY_ORIGINS": "https://shop.example.org"}, "PASSKEY_RP_ID, PASSKEY_ORIGINS: "),
    ],
)
def test_settings_that_allow_no_passkey_anywhere_stop_the_start(values: dict[str, str], message: str) -> None:
    with pytest.raises(config.ConfigurationError) as caught:
        load(**values)

    assert str(caught.value).startswith(message)


def test_doctor_says_where_passkeys_are_accepted(make_app: Callable[..., Flask]) -> None:
    def report(**values: str) -> str:
        with make_app(**values).app_context():
            return "\n".join(f"{found.level} {found.text}" for found in settings.check() if found.part == "passkeys")

    assert "Passkeys belong to accounts.example.com" in report()
    assert "Not offered" in report(SITE_URL="http://127.0.0.1:8000")
    elsewhere = "http://accounts.example.com,https://shop.example.org"
    assert "may use passkeys of accounts.example.com only if" in report(PASSKEY_ORIGINS=elsewhere)


def test_browsers_find_the_page_for_passkeys(make_app: Callable[..., Flask]) -> None:
    found = make_app(SITE_URL="https://accounts.example.com").test_client().get("/.well-known/passkey-endpoints")

    page = "https://accounts.example.com/account/security/#passkeys"
    assert (found.status_code, found.mimetype, found.get_json()) == (
        200,
        "application/json",
        {"enroll": page, "manage": page},
    )
    no_name = make_app(SITE_URL="http://127.0.0.1:8000").test_client().get("/.well-known/passkey-endpoints")
    assert (no_name.status_code, no_name.get_json()["code"]) == (404, "not_found")


def test_browsers_find_the_sites_that_share_passkeys_if_there_are_several(make_app: Callable[..., Flask]) -> None:
    app = "android:apk-key-hash:pNiP5iKyQ8JwgGOaKA1zGPUPJIS-0H1xKCQcfIoGLck"
    sites = ["https://accounts.example.com", "https://shop.example.org"]

    several = make_app(SITE_URL=sites[0], PASSKEY_ORIGINS=",".join([*sites, app])).test_client()
    one = make_app(SITE_URL=sites[0], PASSKEY_ORIGINS=",".join([sites[0], app])).test_client()

    found = several.get("/.well-known/webauthn")
    assert (found.status_code, found.mimetype, found.get_json()) == (200, "application/json", {"origins": sites})
    assert one.get("/.well-known/webauthn").status_code == 404
