"""Style sheets and scripts as readers get them: minified, a half smaller.

rjsmin eats blanks inside template strings that stand in template strings; minify-html keeps every local name.
"""

import re
from pathlib import Path

try:
    import minify
except ImportError:  # there is no wheel for Macs with Apple's chips: their atlas has assets that are a third larger
    minify = None

STATIC = Path(__file__).parent / "static"
KINDS = {".css": "text/css", ".js": "application/javascript"}


def minified() -> dict[str, str]:
    """Name and text of every asset."""
    return {path.name: of_text(path.read_text(encoding="utf-8"), path.suffix) for path in sorted(STATIC.iterdir())}


def of_text(text: str, suffix: str) -> str:
    """One asset as small as its kind (".css", ".js") allows; others as they are."""
    if suffix not in KINDS:
        return text
    return (minify.string(KINDS[suffix], text) if minify else squeeze(text, suffix)) + "\n"


def squeeze(text: str, suffix: str) -> str:
    """The same CSS or JavaScript without what only its authors read: comments and indentation.

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
    return kept
