"""A service that no one uses passkeys of does not load the library for them."""

import subprocess
import sys

import config

LOADED = """
import sys
from userapi import app
print(sorted(name for name in sys.modules if name.split(".")[0] == "fido2"))
"""


def test_starting_the_service_does_not_load_the_library_for_passkeys() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=config.ROOT, capture_output=True, text=True, check=True, timeout=60
    )

    assert ran.stdout.strip() == "[]"
