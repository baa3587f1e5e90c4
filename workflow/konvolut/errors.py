"""The one kind of error that is the user's to mend, and the words that help to mend it."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake in what was asked: one sentence that says what, where, what is possible and the nearest match."""


def nearest(asked: str, possible: Iterable[str], count: int = 3) -> str:
    """A clause naming the closest possible words: "; nearest: 'channels'", or "" where nothing is close."""
    close = difflib.get_close_matches(str(asked), list(possible), n=count, cutoff=0.5)
    return f"; nearest: {', '.join(map(repr, close))}" if close else ""


def first_line(error: Exception) -> str:
    """What an error says, in one line; a KeyError alone says but the key."""
    said = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__} {said}".strip() if isinstance(error, LookupError) or not said else said
