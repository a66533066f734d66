"""The system page: findings, versions, settings without secrets, and jobs, for superusers."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.app_config import SECRET_KEY
from tests.support.staff_client import staff_client
from userapi import VERSION
from userapi.core import migrations
from userapi.health import effective_settings
from userapi.users.permission_names import EVERYTHING

pytestmark = pytest.mark.both


def test_superusers_see_findings_versions_and_settings(make_app: Callable[..., Flask]) -> None:
    app = make_app(WORKERS="100", MAIL_TEMPLATES="", SESSIONS_PER_USER="7")
    superuser = staff_client(app, is_staff=True, is_superuser=True)

    page = superuser.get("/admin/system/")

    with app.app_context():
        (newest,) = migrations.get_newest_known_revisions()
    assert page.status_code == 200
    assert "WORKERS is 100, but this machine has" in page.text
    assert page.text.index("WORKERS is 100") < page.text.index("TRUSTED_PROXIES is ")  # what needs attention is first
    assert VERSION in page.text
    assert newest in page.text
    row = page.text.partition("<code>SESSIONS_PER_USER</code>")[2].partition("</tr>")[0]
    assert ">7<" in row


def test_staff_with_every_permission_but_no_superuser_status_do_not_see_it(app: Flask) -> None:
    helper = staff_client(app, is_staff=True, permissions=sorted(EVERYTHING))

    assert helper.get("/admin/system/").status_code == 403
    assert "/admin/system/" not in helper.get("/admin/").text


def test_no_secret_is_shown(make_app: Callable[..., Flask]) -> None:
    secrets = {"METRICS_TOKEN": "Zt7Rw2LpY8sUe5HbN4cJ6aGvK3x9QmAd", "MAIL_PASSWORD": "hunter2hunter2"}
    urls = {"REDIS_URL": "redis://:redispass@127.0.0.1:1/0", "CELERY_BROKER_URL": "redis://us:brokerpass@127.0.0.1:1/0"}
    mail = {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": "1", "MAIL_USERNAME": "us", "MAIL_DELIVERY": "none"}
    app = make_app(**secrets, **urls, **mail)
    superuser = staff_client(app, is_staff=True, is_superuser=True)

    page = superuser.get("/admin/system/").text

    assert "<code>METRICS_TOKEN</code>" in page
    assert "redis://…@127.0.0.1:1/0" in page
    for secret in (SECRET_KEY, *secrets.values(), "redispass", "brokerpass"):
        assert secret not in page


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        (
            "DATABASE_URL",
            "postgresql+psycopg://us:p%40ss@db.example.com:5432/users?password=pw",
            "postgresql+psycopg://…@db.example.com:5432/users?…",
        ),
        ("DATABASE_URL", "sqlite:////var/lib/userapi.db", "sqlite:////var/lib/userapi.db"),
        ("CORS_ORIGINS", ["https://a.example", "https://u:p@b.example"], "https://a.example, https://…@b.example"),
        ("SECRET_KEY", "abc", "…"),
        ("FUTURE_TOKEN", "abc", "…"),
        ("MAIL_SERVER", "", ""),
        ("MAIL_USE_TLS", True, "true"),
        ("SESSION_LIFETIME", 0, "0"),
    ],
)
def test_values_of_settings_are_shown_without_credentials(name: str, value: object, shown: str) -> None:
    assert effective_settings.describe_value(name, value) == shown
