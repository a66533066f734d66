"""The documents list exactly what the code has."""

import configparser
import json
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest
import yaml
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

import config
from userapi.audit.names import ACTIONS
from userapi.core.problems import Problem
from userapi.http.errors import HTTP_CODES


def rows(document: str) -> list[str]:
    """The first cells of the tables in a document."""
    return re.findall(r"^\| `([^`]+)` \|", (config.ROOT / "docs" / document).read_text(), re.MULTILINE)


def named(pattern: str, *paths: Path) -> set[str]:
    return {name for path in paths for name in re.findall(pattern, path.read_text())}


def test_exactly_the_existing_settings_are_documented() -> None:
    assert len(config.list_setting_names()) > 30
    assert sorted(rows("settings.md")) == sorted(config.list_setting_names())


def described(text: str) -> set[str]:
    """The metrics named in a text, without the suffixes of histograms."""
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\buserapi_[a-z_]+", text)}


def test_exactly_the_existing_metrics_are_documented(make_app: Callable[..., Flask]) -> None:
    client = make_app(SITE_URL="http://127.0.0.1:8000").test_client()

    families = text_string_to_metric_families(client.get("/metrics").text)

    documented = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    assert len(documented) > 10
    earlier = {"userapi_letters_total", "userapi_outbox_letters", "userapi_outbox_oldest_letter_seconds"}
    assert sorted(rows("metrics.md")) == sorted(documented - earlier)
    assert all(f"`{name}`" in (config.ROOT / "docs/metrics.md").read_text() for name in earlier)


def test_the_dashboard_and_the_alerts_use_existing_metrics() -> None:
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


def test_exactly_the_existing_events_are_documented() -> None:
    events = named(r'audit_log\.record\(\s*"([^"]+)"', *(config.ROOT / "userapi").rglob("*.py"))

    assert len(events) > 15
    assert sorted(rows("events.md")) == sorted(events) == sorted(ACTIONS)


def commands(group: click.Group, *names: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below a group, by its full name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *names, name)
        else:
            yield " ".join((*names, name)), command


def test_exactly_the_existing_commands_and_options_are_documented(app: Flask) -> None:
    ours = {
        name: command
        for name, command in commands(app.cli)  # type: ignore[arg-type]
        if name.split()[0] not in ("db", "openapi")  # commands of libraries
    }

    documented = dict(re.findall(r"^\| `([a-z -]+)` \|(.*)$", (config.ROOT / "docs/cli.md").read_text(), re.MULTILINE))

    assert len(ours) > 20
    assert sorted(rows("cli.md")) == sorted(ours)
    options = {name: {option for item in command.params for option in item.opts} for name, command in ours.items()}
    assert {name: set(re.findall(r"`(--[a-z-]+)`", text)) for name, text in documented.items()} == {
        name: {option for option in flags if option.startswith("--")} for name, flags in options.items()
    }


def problem_classes(kind: type[Problem] = Problem) -> Iterator[type[Problem]]:
    """Every class of problems."""
    yield kind
    for narrower in kind.__subclasses__():
        yield from problem_classes(narrower)


def test_exactly_the_existing_problems_are_documented(app: Flask) -> None:
    for path in sorted((config.ROOT / "userapi").rglob("*.py")):  # some are imported only when they are used
        if "Problem):" in path.read_text():
            import_module(".".join(path.relative_to(config.ROOT).with_suffix("").parts))
    ours = {(kind.code, kind.status) for kind in problem_classes() if kind.__module__.startswith("userapi.")}
    of_http = {(code, status) for status, code in HTTP_CODES.items()}

    documented = re.findall(
        r"^\| `([a-z_]+)` \| (\d{3}) \|", (config.ROOT / "docs/errors.md").read_text(), re.MULTILINE
    )

    assert len(ours) > 20
    assert sorted((code, int(status)) for code, status in documented) == sorted(ours | of_http)


def test_exactly_the_existing_operations_are_documented() -> None:
    paths = json.loads((config.ROOT / "docs/openapi.json").read_text())["paths"]
    there = {
        (f"{method.upper()} {path}", " ".join([operation["summary"], *operation["description"].split("\n\n")[:-1]]))
        for path, operations in paths.items()
        for method, operation in operations.items()
        if isinstance(operation, dict) and not path.startswith("/userapi/api-token-")  # aliases of the same three
    }

    documented = re.findall(
        r"^\| `([A-Z]+ /[^`]*)` \| [a-z_`, ]+ \| (.+) \|$", (config.ROOT / "docs/api.md").read_text(), re.MULTILINE
    )

    assert len(there) > 20
    assert sorted(documented) == sorted(there)


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_every_link_on_the_first_pages_works(document: str) -> None:
    text = (config.ROOT / document).read_text()

    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if not link.startswith("http")]

    assert links
    assert [link for link in links if not (config.ROOT / link).exists()] == []


def test_the_readme_and_the_package_name_the_license() -> None:
    assert (config.ROOT / "LICENSE").read_text().startswith("MIT License\n\nCopyright (c) 2026 the userapi authors\n")
    assert "[MIT](LICENSE)" in (config.ROOT / "README.md").read_text()
    package = configparser.ConfigParser()
    package.read(config.ROOT / "setup.cfg")
    assert (package["metadata"]["license"], package["metadata"]["license_files"]) == ("MIT", "LICENSE")
