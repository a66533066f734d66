"""Fixtures: an application with one provider, which answers inside this process."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support.fake_provider import SETTINGS, FakeProvider
from userapi.federation import requests_to_providers


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> FakeProvider:
    """The provider that every request to a provider reaches."""
    provider = FakeProvider()
    monkeypatch.setattr(requests_to_providers.http_client, "get", provider.get)
    monkeypatch.setattr(requests_to_providers.http_client, "post_form", provider.post_form)
    return provider


@pytest.fixture
def provider_app(make_app: Callable[..., Flask], acme: FakeProvider) -> Flask:
    """An application whose users can sign in with it."""
    return make_app(**SETTINGS)
