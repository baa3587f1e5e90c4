"""Classes of a model by the number or the name that a user wrote. No torch here."""

from collections import Counter
from collections.abc import Sequence

from konvolut.errors import UserError, nearest


def told_apart(names: Sequence[str]) -> list[str]:
    """Names of classes, with the number behind those that stand twice: ImageNet has two cranes and two maillots."""
    twice = {name for name, count in Counter(names).items() if count > 1}
    return [f"{name} ({number})" if name in twice else name for number, name in enumerate(names)]


def class_number(target: str | int, class_names: Sequence[str], where: str) -> int:
    """The class that a number or a name means; "tabby" finds "tabby, tabby cat".

    Raises UserError beginning with `where` for a class that is not there or not alone.
    """
    if isinstance(target, int):
        if not 0 <= target < len(class_names):
            raise UserError(f"{where}: class {target} is not in 0..{len(class_names) - 1}")
        return target
    asked = target.casefold().strip()
    words = [[name.casefold(), *(word.strip() for word in name.casefold().split(","))] for name in class_names]
    found = [number for number, possible in enumerate(words) if asked in possible]
    if len(found) == 1:
        return found[0]
    if found:
        choices = ", ".join(f"{number} ({class_names[number]})" for number in found)
        raise UserError(f"{where}: {target!r} means several classes; possible: {choices}")
    close = nearest(asked, dict.fromkeys(word for possible in words for word in possible))
    raise UserError(f"{where}: no class of the model is called {target!r}{close}")
