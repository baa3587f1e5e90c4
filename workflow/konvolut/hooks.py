"""How this workflow begins and ends where another one uses it as a module. No torch here.

Snakemake calls the hooks (onstart, onsuccess, onerror) of the main Snakefile alone. Ours are put before those that the
using workflow has declared or will declare.
"""

from collections.abc import Callable

ATTACHED = "konvolut_is_attached"


def attach(workflow, begin: Callable[[], None], end: Callable[..., None]) -> None:
    """Let begin() and end(is_finished=...) run with the hooks of a Snakemake workflow; once, however many use us."""
    if hasattr(workflow, ATTACHED):
        return
    setattr(workflow, ATTACHED, True)
    _put_before(workflow, "onstart", begin)
    _put_before(workflow, "onsuccess", lambda: end(is_finished=True))
    _put_before(workflow, "onerror", lambda: end(is_finished=False))


def _put_before(workflow, name: str, ours: Callable[[], None]) -> None:
    def register(theirs: Callable) -> None:
        def both(log) -> None:
            ours()
            theirs(log)

        setattr(workflow, f"_{name}", both)

    register(getattr(workflow, f"_{name}"))
    setattr(workflow, name, register)  # what declares a hook further down calls this
