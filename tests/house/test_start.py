"""A start loads only what every service needs."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: What is imported when it is first used: migrations, Redis, second factors, providers, sample data.
LATER = {"alembic", "flask_migrate", "redis", "fido2", "pyotp", "segno", "joserfc", "requests", "mimesis", "celery"}


def test_libraries_of_what_is_off_or_rare_are_not_loaded() -> None:
    program = "import sys, userapi.app, userapi.cli.starting; print(*{*sys.modules} & {*sys.argv})"

    loaded = subprocess.run(
        [sys.executable, "-c", program, *LATER], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout.split() == []
