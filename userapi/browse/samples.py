"""How a program calls an operation: with curl, Python and JavaScript, and with the examples of the OpenAPI document."""

import json
import pprint
import re
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

#: A placeholder in a path: `{user_id}`.
PLACEHOLDER = re.compile(r"{(\w+)}")

#: Between the arguments of a command.
CONTINUED = " \\\n  "


@dataclass(frozen=True, slots=True)
class Sample:
    """A piece of code.

    Attributes:
        name: of the program or language.
        text: the code.
    """

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request with example values.

    Attributes:
        method: such as `PATCH`.
        url: with the path filled in.
        needs_token: whether it is sent with an access token.
        body: plain data; None when there is none.
        returns_json: whether a successful response has a body.
    """

    method: str
    url: str
    needs_token: bool
    body: Any = None
    returns_json: bool = True


def example_request(
    site: str, method: str, path: str, operation: Mapping[str, Any], parameters: list[Mapping[str, Any]]
) -> Request:
    """The request that the document gives as an example.

    Args:
        site: the origin of the service.
        method: such as `PATCH`.
        path: with placeholders.
        operation: the operation object.
        parameters: of the operation and of its path.
    """
    values = {parameter["name"]: parameter["example"] for parameter in parameters if parameter["in"] == "path"}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    return Request(
        method=method,
        url=site + PLACEHOLDER.sub(lambda found: str(values[found[1]]), path),
        needs_token=bool(operation["security"]),
        body=body,
        returns_json="204" not in operation["responses"],
    )


def code_samples(request: Request) -> list[Sample]:
    """The same request in every language."""
    return [
        Sample("curl", curl_command(request)),
        Sample("Python", _python(request)),
        Sample("JavaScript", _javascript(request)),
    ]


def curl_command(request: Request, etag: str | None = None, secrets: Sequence[str] = ()) -> str:
    """The curl command for a request, with `$ACCESS_TOKEN` for the token.

    Args:
        request: what to send.
        etag: for `If-Match`.
        secrets: the names of fields of the body whose values become variables of the shell: `"$PASSWORD"`.
    """
    head = curl_head(request, etag)
    if request.body is None:
        return head
    body = shlex.quote(_json(request.body))
    for name in secrets:
        variable = f"""\\g<1>"'"${name.upper()}"'\""""
        body = re.sub(rf'("{name}": )"(?:[^"\\\n]|\\.)+"', variable, body)
    return f"{head}{CONTINUED}-d {body}"


def curl_head(request: Request, etag: str | None = None) -> str:
    """The curl command for a request without the argument for its body."""
    method = [] if request.method == "GET" else ["-X", request.method]
    lines = [" ".join(["curl", *method, shlex.quote(request.url)])]
    if request.needs_token:
        lines.append('-H "Authorization: Bearer $ACCESS_TOKEN"')
    if etag:
        lines.append(f"-H {shlex.quote(f'If-Match: {etag}')}")
    if request.body is not None:
        lines.append("-H 'Content-Type: application/json'")
    return CONTINUED.join(lines)


def _python(request: Request) -> str:
    arguments = [f'"{request.url}",']
    if request.needs_token:
        arguments.append('headers={"Authorization": f"Bearer {access_token}"},')
    if request.body is not None:
        arguments.append(f"json={pprint.pformat(request.body, width=70, sort_dicts=False)},")
    arguments.append("timeout=10,")
    call = textwrap.indent("\n".join(arguments), "    ")
    text = f"import requests\n\nresponse = requests.{request.method.lower()}(\n{call}\n)\nresponse.raise_for_status()"
    return f"{text}\nprint(response.json())" if request.returns_json else text


def _javascript(request: Request) -> str:
    headers = []
    if request.needs_token:
        headers.append("Authorization: `Bearer ${accessToken}`")
    if request.body is not None:
        headers.append('"Content-Type": "application/json"')
    options = [f'method: "{request.method}",'] if request.method != "GET" else []
    if headers:
        options.append(f"headers: {{ {', '.join(headers)} }},")
    if request.body is not None:
        options.append(f"body: JSON.stringify({_json(request.body)}),")
    inside = textwrap.indent("\n".join(options), "  ")
    second = f", {{\n{inside}\n}}" if options else ""
    text = f'const response = await fetch("{request.url}"{second});\n'
    text += "if (!response.ok) throw new Error((await response.json()).detail);"
    return f"{text}\nconsole.log(await response.json());" if request.returns_json else text


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
