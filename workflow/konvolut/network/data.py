"""What a model expects of photographs: timm's data config, and what the model sheet says instead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from konvolut.asked.options import OF_PHOTOGRAPHS, OF_THE_SIZE
from konvolut.errors import UserError

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, what Pillow's mode "L" uses


@dataclass(frozen=True)
class DataConfig:
    """What the model expects of a photograph: input_size (C, H, W); mean and std of C numbers for pixels in 0..1."""

    input_size: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    interpolation: str
    crop_pct: float
    crop_mode: str


def data_config(timms: Mapping, options: Mapping, row: str) -> DataConfig:
    """timm's data config, with the channels and the size of the options, and what they say of photographs.

    Raises UserError, beginning with `row`, for as many numbers as no model of so many channels takes.
    """
    config = dict(timms) | {name: options[name] for name in OF_PHOTOGRAPHS if name in options}
    channels, height, width = config["input_size"]
    channels = options.get("in_chans", channels)
    size = options.get(OF_THE_SIZE)
    if size is not None:
        height, width = (size, size) if isinstance(size, int) else tuple(size)
    for name in ("mean", "std"):
        numbers = config[name] if isinstance(config[name], Sequence) else (config[name],)
        if len(numbers) not in (1, len(LUMINANCE), channels):
            raise UserError(f"{row}: {name} has {len(numbers)} numbers, the model {channels} channels")
        config[name] = numbers
    return DataConfig(
        input_size=(channels, height, width),
        mean=_per_channel(config["mean"], channels),
        std=_per_channel(config["std"], channels),
        interpolation=config["interpolation"],
        crop_pct=float(config["crop_pct"]),
        crop_mode=config["crop_mode"],
    )


def _per_channel(values: Sequence[float], channels: int) -> tuple[float, ...]:
    """One number a channel: a single one is that of all, of three colours one channel gets the luminance."""
    if len(values) == len(LUMINANCE) and channels == 1:
        return (float(sum(w * v for w, v in zip(LUMINANCE, values, strict=True))),)
    return tuple(float(values[c % len(values)]) for c in range(channels))
