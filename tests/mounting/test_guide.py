"""The code in the guide is that of the example, which the other tests run."""

import re
import textwrap

import config

GUIDE = config.ROOT / "docs" / "guides" / "mount-in-your-app.md"
EXAMPLE = config.ROOT / "examples" / "existing_app"


def test_the_guide_shows_the_code_of_the_example() -> None:
    blocks = re.findall(r"```python\n(.*?)    ```", GUIDE.read_text(), re.DOTALL)
    sources = [textwrap.indent(path.read_text(), "    ") for path in (EXAMPLE / "bookshop").glob("*.py")]
    sources += [textwrap.dedent(source) for source in sources]
    found = [any(block in source for source in sources) for block in blocks]

    assert found == [True] * 4
