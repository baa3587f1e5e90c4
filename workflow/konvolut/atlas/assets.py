"""Style sheets and scripts as readers get them: without comments and spare white space, by rjsmin and rcssmin."""

from pathlib import Path

import rcssmin
import rjsmin

STATIC = Path(__file__).parent / "static"
SQUEEZE = {".css": rcssmin.cssmin, ".js": rjsmin.jsmin}


def squeezed() -> dict[str, str]:
    """Name and text of every asset."""
    return {path.name: squeeze(path.read_text(encoding="utf-8"), path.suffix) for path in sorted(STATIC.iterdir())}


def squeeze(text: str, suffix: str) -> str:
    """The same CSS or JavaScript without what only its authors read; anything else as it is."""
    return SQUEEZE.get(suffix, str.strip)(text) + "\n"
