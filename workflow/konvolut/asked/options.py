"""What the column options of the model sheet means: keyword arguments of timm.create_model, and how photographs are
prepared for a model that was not trained as timm's own. No torch here.
"""

import json
import math

from konvolut.errors import UserError, nearest

# What models.build says itself, from the columns timm_name and weights.
OF_COLUMNS = {"pretrained", "checkpoint_path", "model_name"}
# Written as in Python they would otherwise be texts, and the text "False" counts as true.
PYTHON_WORDS = {"true": True, "false": False, "none": None, "null": None}
# The least that a count may be; a model of 0 classes is one without its last layer.
LEAST = {"in_chans": 1, "num_classes": 0}
# Photographs' sides in px: those constructors that lay out a grid want to know it, all others take any size.
OF_THE_SIZE = "img_size"
LARGEST_SIDE_PX = 8192  # of what a model sees, and of pictures
# What timm's data config says of photographs, under its names; its constructors know none of them.
OF_PHOTOGRAPHS = ("mean", "std", "crop_pct", "interpolation", "crop_mode")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "box", "hamming", "lanczos")
CROP_MODES = ("center", "squash", "border")


def read(text: str, where: str) -> tuple[tuple[str, object], ...]:
    """ "in_chans=1; global_pool=avg" as pairs; values are JSON, else text. Raises UserError beginning with `where`."""
    options = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name.isidentifier() or not value or name in options:
            raise UserError(f"{where}: {part!r} must be NAME=VALUE, each name once, separated by ';'")
        options[name] = _value(value, where)
        _check(name, options[name], where)
    return tuple(sorted(options.items()))


def _value(text: str, where: str) -> object:
    if text.lower() in PYTHON_WORDS:
        return PYTHON_WORDS[text.lower()]
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, list | dict) for item in value)):
        raise UserError(f"{where}: {text!r} must be a number, a text, true, false, null or a list of them")
    return tuple(value) if isinstance(value, list) else value


def _check(name: str, value: object, where: str) -> None:
    """Refuse what timm takes, or refuses in words of its own only after torch has been loaded."""
    if name in OF_COLUMNS:
        raise UserError(f"{where}: {name} is said by the columns timm_name and weights")
    if name == "input_size":
        raise UserError(f"{where}: input_size is said by {OF_THE_SIZE} (a side, or [height, width]) and in_chans")
    if name == OF_THE_SIZE and not _is_size(value):
        raise UserError(
            f"{where}: {name} must be a side of 1 to {LARGEST_SIDE_PX} px or [height, width], not {value!r}"
        )
    if name == "features_only" and value:
        raise UserError(
            f"{where}: features_only leaves no network to look into; `layers` chooses whose features are seen"
        )
    if name in LEAST and (type(value) is not int or value < LEAST[name]):
        raise UserError(f"{where}: {name} must be a whole number of at least {LEAST[name]}, not {value!r}")
    if name in ("mean", "std"):
        numbers = value if isinstance(value, tuple) and value else (value,)
        least = 0 if name == "std" else -math.inf
        if not all(_is_number(number) and number > least for number in numbers):
            above = " above 0" if name == "std" else ""
            raise UserError(
                f"{where}: {name} must be a number{above} or a list of them, one for each channel, not {value!r}"
            )
    if name == "crop_pct" and not (_is_number(value) and 0 < value <= 1):
        raise UserError(f"{where}: crop_pct must be a number above 0 and up to 1, not {value!r}")
    for word, possible in (("interpolation", INTERPOLATIONS), ("crop_mode", CROP_MODES)):
        if name == word and value not in possible:
            close = nearest(str(value), possible)
            raise UserError(f"{where}: {name} {value!r}; possible: {', '.join(possible)}{close}")


def _is_size(value: object) -> bool:
    sides = value if isinstance(value, tuple) and len(value) == 2 else (value,)
    return all(type(side) is int and 0 < side <= LARGEST_SIDE_PX for side in sides)


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
