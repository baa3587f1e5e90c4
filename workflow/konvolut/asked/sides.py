"""How large the square picture of a unit is: less for layers that see little. No torch here."""

from konvolut.asked.recipes import Recipe

# Sides are whole multiples of this and no smaller than the least (so that pictures stay worth looking at; jitter and
# rotation of less than 64 px leave little). Found by looking at tf_efficientnet_lite0.
SIDE_STEP_PX, LEAST_SIDE_PX = 32, 64


def side_of(recipe: Recipe, receptive_field_px: int, input_px: int) -> int:
    """The side that a recipe wants for a layer; the model itself may take another one only.

    A layer that could see more than the model's own input never did.
    """
    if not recipe.fields:
        return recipe.size_px
    sees = min(receptive_field_px, input_px)
    wanted = -(-recipe.fields * sees // SIDE_STEP_PX) * SIDE_STEP_PX
    return int(min(recipe.size_px, max(LEAST_SIDE_PX, wanted)))
