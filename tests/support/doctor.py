"""Runs of `flask doctor`."""

import json

from flask import Flask

Findings = list[dict[str, str]]


def run_doctor(app: Flask) -> tuple[int, Findings]:
    """The exit code and the findings."""
    result = app.test_cli_runner().invoke(args=["doctor", "--json"])
    findings = [json.loads(line) for line in result.stdout.splitlines()]
    assert (result.exit_code == 1) == any(finding["level"] == "error" for finding in findings)
    assert result.stderr.count("\n") == result.exit_code
    return result.exit_code, findings


def findings_at(findings: Findings, level: str) -> list[str]:
    return [finding["text"] for finding in findings if finding["level"] == level]
