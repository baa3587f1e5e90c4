"""Style sheets and scripts as readers get them: without comments and indentation, a quarter smaller, still legible.

rjsmin would take a tenth more, but it eats blanks inside template strings that stand in template strings.
"""

import re
from pathlib import Path

STATIC = Path(__file__).parent / "static"


def squeezed() -> dict[str, str]:
    """Name and text of every asset."""
    return {path.name: squeeze(path.read_text(encoding="utf-8"), path.suffix) for path in sorted(STATIC.iterdir())}


def squeeze(text: str, suffix: str) -> str:
    """The same CSS or JavaScript without what only its authors read.

    ASSUME: no string spans lines or begins with a comment's sign at the start of a line, comments beside code hold no
    quotes, no selector has a space before a colon.
    """
    text = re.sub(r"(?ms)^\s*/\*.*?\*/", "", text)
    lines = [line.strip() for line in text.splitlines()]
    kept = "\n".join(line for line in lines if line and not line.startswith("//"))
    if suffix == ".js":
        kept = re.sub(r"(?m)\s// [^\"'`\n]*$", "", kept)
    if suffix == ".css":
        kept = re.sub(r"/\*.*?\*/", "", kept)
        kept = re.sub(r"\s*([{};,:>])\s*", r"\1", kept).replace(";}", "}").replace("}", "}\n")
    return kept + "\n"
