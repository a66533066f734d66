"""What `pip` installs of `userapi-client`: few packages, types, and no framework."""

import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import config
from tests.support import commands

pytestmark = pytest.mark.slow

BUILD = "import sys, setuptools.build_meta as b; folder = sys.argv[1]; b.build_wheel(folder); b.build_sdist(folder)"
MODULES = {path.name for path in (config.ROOT / "clients/python/userapi_client").glob("*.py")} | {"py.typed"}

#: A program of a service in which no framework is installed.
PROGRAM = """
import sys
from userapi_client import *
Verifier("https://accounts.example.com", ended=EndedSessions())
Receiver("whsec_c2VjcmV0IHNlY3JldCBzZWNyZXQ=")
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"flask", "fastapi", "django", "userapi", "requests"}))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the wheel and the source distribution, built from a copy of the sources."""
    folder = tmp_path_factory.mktemp("built")
    ignored = shutil.ignore_patterns("tests", "__pycache__", "*.egg-info", "build")
    tree = shutil.copytree(config.ROOT / "clients/python", folder / "tree", ignore=ignored)
    subprocess.run([sys.executable, "-c", BUILD, folder], cwd=tree, check=True, capture_output=True)
    return folder


def test_the_distributions_have_the_modules_types_and_license(built: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("METADATA"))
    with tarfile.open(sdist) as archive:
        sources = {Path(name).name for name in archive.getnames()}

    assert {Path(name).name for name in names if name.startswith("userapi_client/")} == MODULES
    assert any(name.endswith("LICENSE") for name in names)
    assert MODULES | {"README.md", "LICENSE", "pyproject.toml"} <= sources
    assert [line for line in metadata.splitlines() if line.startswith("Requires-Dist")] == [
        "Requires-Dist: pyjwt[crypto]>=2.15"
    ]


def test_an_installed_kit_needs_no_framework(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    venv.create(tmp_path / "environment", symlinks=True)
    python = tmp_path / "environment" / "bin" / "python"
    packages = tmp_path / "environment" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    for needed in ("jwt", "cryptography", "cffi", "_cffi_backend*", "pycparser"):
        for path in Path(sysconfig.get_path("purelib")).glob(needed):
            (packages / path.name).symlink_to(path)
    install = [sys.executable, "-m", "pip", "-q", "--python", python, "install", "--no-index", "--no-deps", wheel]
    subprocess.run(install, check=True)

    environment = commands.bare_environment()
    del environment["PYTHONPATH"]
    done = commands.run(str(python), "-c", PROGRAM, env=environment, cwd=tmp_path)

    assert (done.code, done.output.strip()) == (0, ""), done
