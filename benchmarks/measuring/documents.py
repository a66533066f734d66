"""The parts of documents that benchmarks write."""

import re
from pathlib import Path


def replace_part(document: Path, name: str, text: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- end of name -->`.

    Raises:
        SystemExit: the document has no such part.
    """
    part = re.compile(rf"(?<=<!-- {name} -->\n).*(?=<!-- end of {name} -->)", re.DOTALL)
    replaced, count = part.subn(lambda _: f"\n{text}\n\n", document.read_text())
    if not count:
        raise SystemExit(f"{document.name} has no part for {name}. The text is:\n\n{text}")
    document.write_text(replaced)
