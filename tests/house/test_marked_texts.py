"""Sources and templates have no sentence for users that is not marked for translation."""

import ast
import inspect
import re
from collections.abc import Iterator

from flask import Flask
from jinja2 import Environment, nodes

import config
from tests.support.texts import Words, problem_classes
from userapi.core.problems import Problem

TEMPLATES = config.ROOT / "userapi" / "templates"

#: Calls whose arguments are shown to users.
SPEAKERS = {
    "echo", "ClickException", "UsageError", "BadParameter", "prompt", "confirm", "fail", "print", "flash",
    "ValidationError", "exit",
}  # fmt: skip

#: Calls that mark a text for translation.
ASKERS = {"_", "gettext", "ngettext", "pgettext", "lazy_gettext", "lazy_ngettext", "lazy_pgettext"}

#: Two words, or one with a capital: a text, not an identifier.
TEXT = re.compile(r"[A-Za-z]{2,}[,;:]? [A-Za-z]{2,}|^[A-Z][a-z]+\b")

#: Texts about settings are for operators, and in English like the settings and the documents.
OF_A_SETTING = re.compile(r"^(?:userapi: )?[A-Z][A-Z_]+(?:, [A-Z][A-Z_]+)*:? ")

OF_SETTINGS = (
    "setting_checks.py", "passkey_settings.py", "provider_settings.py", "webhook_settings.py", "environment.py",
    "database_urls.py",
    "redis_urls.py",
    "privacy_settings.py",
    "registration_settings.py",
    "site_logo.py",
)  # fmt: skip

#: Parts of templates that are not shown as they are, and the block with a class name.
OF_JINJA = re.compile(
    r"\{% block width %\}\w+|\{%-? trans\b.*?endtrans -?%\}|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL
)

#: The rest of an attribute that a template stores in a variable to use it twice.
ATTRIBUTE = re.compile(r'[a-z-]*="[a-z -]*"|required|disabled|data-nullable')


def shows(problem_class: type[Problem]) -> bool:
    """Whether a problem shows the texts that it is made with; some take a reason for the log instead."""
    return "reason" not in inspect.signature(problem_class).parameters


def literals(node: ast.AST) -> Iterator[str]:
    """The unmarked texts under a node, without field names."""
    if isinstance(node, ast.Call) and name_of(node) in ASKERS:
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "…".join(part.value for part in node.values if isinstance(part, ast.Constant))
    elif isinstance(node, ast.Dict):
        for value in node.values:
            yield from literals(value)
    else:
        for child in ast.iter_child_nodes(node):
            yield from literals(child)


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def spoken(tree: ast.AST) -> Iterator[str]:
    """The unmarked texts in a module that users read."""
    speakers = SPEAKERS | {problem_class.__name__ for problem_class in problem_classes() if shows(problem_class)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node) in speakers:
            shown = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg != "headers")]
            yield from (text for part in shown for text in literals(part))
        elif isinstance(node, ast.Dict):
            detail = [value for key, value in zip(node.keys, node.values, strict=True) if is_constant(key, "detail")]
            yield from (text for value in detail for text in literals(value))
        elif isinstance(node, ast.ClassDef):
            for line in node.body:
                is_shown = isinstance(line, ast.Assign) and getattr(line.targets[0], "id", "") in ("title", "detail")
                if is_shown and not isinstance(line.value, ast.Call):  # a call marks a text, or creates a field
                    yield from literals(line.value)


def is_constant(node: ast.AST | None, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def test_no_module_shows_an_unmarked_text() -> None:
    sources = sorted((config.ROOT / "userapi").rglob("*.py"))
    unmarked = [
        f"{path.relative_to(config.ROOT)}: {text}"
        for path in sources
        if path.name not in OF_SETTINGS
        for text in spoken(ast.parse(path.read_text()))
        if TEXT.search(text) and not OF_A_SETTING.search(text)
    ]

    assert len(sources) > 100
    assert unmarked == []


def constants(node: nodes.Node) -> Iterator[str]:
    """The unmarked texts in the expressions of a template."""
    if isinstance(node, nodes.Call) and getattr(node.node, "name", "") in ASKERS:
        return
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    for child in node.iter_child_nodes():
        yield from constants(child)


def test_no_template_contains_an_unmarked_text(app: Flask) -> None:
    environment: Environment = app.jinja_env
    unmarked = []
    templates = sorted(TEMPLATES.rglob("*.*"))
    for path in templates:
        source = path.read_text()
        bare = OF_JINJA.sub("", source)
        parts = Words(bare).found if path.suffix == ".html" else bare.split("\n")
        expressions = constants(environment.parse(source))
        texts = [
            *(part for part in parts if re.search("[A-Za-z]{2,}", ATTRIBUTE.sub("", part))),
            *filter(TEXT.search, expressions),
        ]
        unmarked += [f"{path.relative_to(TEMPLATES)}: {text}" for text in texts]

    assert len(templates) > 50
    assert unmarked == []
