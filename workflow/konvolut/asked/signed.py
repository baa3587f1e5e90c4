"""Functions that Snakemake asks for their signature whenever it calls one: 65,000 times for a million pictures."""

import inspect
from collections.abc import Callable


def signed(function: Callable) -> Callable:
    """The function, which remembers its signature (`inspect.signature` takes it from there): a tenth of a dry run."""
    function.__signature__ = inspect.signature(function)
    return function
