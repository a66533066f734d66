"""Metrics, read as Prometheus reads them."""

import urllib.request

from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

TOKEN = "Zt7Rw2LpY8sUe5HbN4cJ6aGvK3x9QmAd"

#: Every sample by its name and its labels in order.
Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: str) -> Values:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(values: Values, name: str, **labels: str) -> float | None:
    return values.get((name, tuple(sorted(labels.items()))))


def scrape(app: Flask) -> Values:
    response = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parsed(response.text)


def fetch(url: str, token: str) -> Values:
    request = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return parsed(response.read().decode())
