"""The required packages are exactly those that the service uses."""

import ast
import configparser
import re
from importlib.metadata import packages_distributions

import config

#: Required without an import: a server that is run, a driver, a library pinned for another one.
NOT_IMPORTED = {"granian", "psycopg", "wtforms"}


def required(option: str, section: str) -> set[str]:
    """The distributions listed in an option of setup.cfg."""
    parser = configparser.ConfigParser()
    parser.read(config.ROOT / "setup.cfg")
    names = (re.match(r"[\w.-]+", line) for line in parser[section][option].splitlines() if not line.startswith("#"))
    return {name[0].lower() for name in names if name}


def imported() -> set[str]:
    """Every module that the service imports, with its parents: `a`, `a.b`, `a.b.c`."""
    names: set[str] = set()
    paths = [*(config.ROOT / "userapi").rglob("*.py"), config.ROOT / "config.py", config.ROOT / "wsgi.py"]
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {".".join(name.split(".")[:count]) for name in names for count in range(1, name.count(".") + 2)}


def test_every_required_package_is_imported() -> None:
    wanted = required("install_requires", "options") - NOT_IMPORTED
    for extra in ("worker", "tracing", "phone"):
        wanted |= required(extra, "options.extras_require")
    modules: dict[str, set[str]] = {}
    for module, distributions in packages_distributions().items():
        for distribution in distributions:
            modules.setdefault(distribution.lower().replace("_", "-"), set()).add(module)
    used = imported()

    assert len(wanted) > 20
    assert {name for name in wanted if not found(name, modules.get(name, set()), used)} == set()


def found(name: str, modules: set[str], used: set[str]) -> bool:
    """Whether a module of a distribution is imported; those of OpenTelemetry share one package."""
    if name.startswith("opentelemetry-"):
        parts = name.removeprefix("opentelemetry-").split("-")
        return any(f"opentelemetry.{'.'.join(parts[:count])}" in used for count in range(len(parts), 1, -1)) or (
            len(parts) == 1 and f"opentelemetry.{parts[0]}" in used
        )
    return bool(modules & used)
