"""Reading metrics as Prometheus does."""

import urllib.request

from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

METRICS_TOKEN = "Zt7Rw2LpY8sUe5HbN4cJ6aGvK3x9QmAd"

#: Every sample by its name and its labels in order.
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parse_metrics(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def metric_value(values: Samples, name: str, **labels: str) -> float | None:
    return values.get((name, tuple(sorted(labels.items()))))


def scrape_metrics(app: Flask) -> Samples:
    response = app.test_client().get("/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse_metrics(response.text)


def fetch_metrics(url: str, token: str) -> Samples:
    request = urllib.request.Request(f"{url}/metrics", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as response:
        return parse_metrics(response.read().decode())
