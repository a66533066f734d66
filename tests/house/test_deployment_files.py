"""The files in `deploy/` are valid, and set only settings that exist."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import processes
import pytest
import yaml
from stack import fill_in

import config

DEPLOY = config.ROOT / "deploy"
REQUIREMENTS = config.ROOT / "requirements"
SETTINGS = config.list_setting_names()


def test_C05_the_containers_get_only_known_settings_and_no_secret_in_their_environment() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    ours = {name: part["environment"] for name, part in services.items() if part.get("image") == "userapi"}

    assert set(ours) == {"app-1", "app-2", "worker", "beat", "migrate"}
    for environment in ours.values():
        assert {name.removesuffix("_FILE") for name in environment} <= SETTINGS
        assert {"DATABASE_URL_FILE", "SECRET_KEY_FILE"} <= set(environment)
    for name, part in services.items():
        for value in part.get("environment", {}).values():
            assert not re.search("password|secret", value, re.IGNORECASE) or value.startswith("/run/secrets/"), name


def test_the_image_has_pinned_packages_and_runs_without_root() -> None:
    lines = (DEPLOY / "Containerfile").read_text()

    assert "--no-deps --require-hashes -r scale.txt" in lines
    assert lines.rindex("USER userapi") > lines.rindex("FROM")
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", lines, re.MULTILINE):
        for name in source.split():
            assert (config.ROOT / name).exists(), name


def test_C10_the_pinned_packages_are_sufficient() -> None:
    # Installed without resolving dependencies, so that a new release cannot change or break an installation.
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True)

    assert done.returncode == 0, done.stdout
    for name in ("base", "scale", "dev", "tools"):
        lock = (REQUIREMENTS / f"{name}.txt").read_text()
        entries = re.findall(r"^[^\s#]", lock, re.MULTILINE)
        pins = re.findall(r"^\S+==\S+(?: ;.*)? \\\n    --hash=sha256:", lock, re.MULTILINE)
        assert len(pins) == len(entries) > 0, name


def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    try:
        nginx = processes.program("nginx", "nginx")
    except processes.ServiceMissing as error:
        pytest.skip(str(error))
    values = {
        "APP_1": "127.0.0.1:8001",
        "APP_2": "127.0.0.1:8002",
        "LISTEN": "127.0.0.1:8080",
        "ACCESS_LOG": str(tmp_path / "access.log"),
        "CONNECTIONS_PER_ADDRESS": "200",
    }
    part = fill_in((DEPLOY / "nginx" / "userapi.conf.template").read_text(), values)
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{part}}}\n")

    done = subprocess.run(
        [nginx, "-t", "-e", tmp_path / "log", "-c", whole], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("unit", sorted(path.name for path in (DEPLOY / "systemd").iterdir()))
def test_systemd_accepts_its_units(unit: str) -> None:
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("no systemd on this machine")

    done = subprocess.run([verifier, "verify", DEPLOY / "systemd" / unit], capture_output=True, text=True, check=False)

    complaints = [line for line in done.stderr.splitlines() if unit in line and "is not executable" not in line]
    assert complaints == []
