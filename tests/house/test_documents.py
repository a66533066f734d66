"""What the documents list is what the code has."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import yaml
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

import config


def rows(document: str) -> list[str]:
    """The first cells of a document's tables."""
    return re.findall(r"^\| `([^`]+)` \|", (config.ROOT / "docs" / document).read_text(), re.MULTILINE)


def named(pattern: str, *paths: Path) -> set[str]:
    return {name for path in paths for name in re.findall(pattern, path.read_text())}


def test_every_setting_is_documented_once_and_no_other() -> None:
    settings = named(r'env\.[a-z]+\(\s*"([A-Z_]+)"', config.ROOT / "config.py")

    assert len(settings) > 30
    assert sorted(rows("settings.md")) == sorted(settings)


def described(text: str) -> set[str]:
    """The metrics that a text names, whatever part of a histogram it is about."""
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\buserapi_[a-z_]+", text)}


def test_every_metric_is_documented_once_and_no_other(make_app: Callable[..., Flask]) -> None:
    client = make_app(SITE_URL="http://127.0.0.1:8000").test_client()

    families = text_string_to_metric_families(client.get("/metrics").text)

    told = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    assert len(told) > 10
    assert sorted(rows("metrics.md")) == sorted(told)


def test_the_dashboard_and_the_alerts_ask_for_metrics_that_there_are() -> None:
    dashboard = json.loads((config.ROOT / "deploy/grafana/userapi.json").read_text())
    rules = yaml.safe_load((config.ROOT / "deploy/prometheus/alerts.yml").read_text())

    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    drawn = "\n".join(target["expr"] for panel in panels for target in panel["targets"])
    heard = "\n".join(rule["expr"] for group in rules["groups"] for rule in group["rules"])
    assert described(drawn) == set(rows("metrics.md"))
    assert described(heard) <= set(rows("metrics.md"))
    assert len(described(heard)) > 8
    actions = set(re.findall(r'action="([^"]+)"', drawn + heard))
    assert {"sign_in.failed", "session.token_reused"} <= actions <= set(rows("events.md"))
    assert {panel["datasource"]["uid"] for panel in panels} == {"${datasource}"}
    assert "datasource" in {variable["name"] for variable in dashboard["templating"]["list"]}
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_every_event_is_documented_once_and_no_other() -> None:
    events = named(r'trail\.record\(\s*"([^"]+)"', *(config.ROOT / "userapi").rglob("*.py"))

    assert len(events) > 15
    assert sorted(rows("events.md")) == sorted(events)
