"""Amounts of a recipe that leave no picture to look at, by the size of a section's pictures. No torch here."""

from collections.abc import Iterable

from konvolut.asked.recipes import Recipe
from konvolut.errors import UserError

# A scale of 1 magnifies by 0; a turn beyond half a circle is one of less the other way round.
SCALE_BELOW, MOST_DEGREES = 1.0, 180.0


def check(section: str, recipe: Recipe, side_px: int, largest_px: int, given: Iterable[str]) -> None:
    """Raise UserError for transforms that leave no view of pictures whose longest side is `side_px`, or one beyond
    `largest_px`; and for coarse steps beyond all steps, where the user asked for them: `given` are the recipe's keys
    that were written (a recipe's own follow the steps)."""
    where = f"config: {section}.transforms"
    for name, amount in recipe.transforms:
        if name == "scale" and amount >= SCALE_BELOW:
            raise UserError(
                f"{where}: scale {amount:g} would shrink pictures to nothing; possible: below {SCALE_BELOW:g}"
            )
        if name == "rotate" and amount > MOST_DEGREES:
            raise UserError(f"{where}: rotate {amount:g} is more than half a circle; possible: up to {MOST_DEGREES:g}")
    pad, jitter = (sum(amount for name, amount in recipe.transforms if name == word) for word in ("pad", "jitter"))
    view_px = side_px + (2 * pad - jitter if pad else 0)  # as pictures/transforms.py view_size has it
    if not 1 <= view_px <= largest_px:
        sizes = f"of pictures of {side_px} px, pad and jitter show the model {view_px:g} px"
        raise UserError(f"{where}: {sizes}; possible: 1 to {largest_px}")
    if recipe.padding == "grey" and jitter / 2 >= side_px:  # half of it to either side
        raise UserError(f"{where}: jitter of {jitter:g} px in all moves pictures of {side_px} px out of sight")
    if "coarse_steps" in given and recipe.coarse_steps > recipe.steps:
        raise UserError(f"config: {section}.coarse_steps ({recipe.coarse_steps}) is more than steps ({recipe.steps})")
