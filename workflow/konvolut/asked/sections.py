"""The sections of config.yaml as frozen dataclasses: every default stands here once. No torch here."""

import dataclasses

from konvolut.asked import built_in, kinds
from konvolut.asked.kinds import Channels, setting
from konvolut.asked.options import LARGEST_SIDE_PX
from konvolut.asked.recipes import FROM_NOISE, Recipe

CHEAP_METHODS = ("vanilla", "positive", "negative")
SALIENCY_METHODS = (
    *CHEAP_METHODS,
    *("gradient", "guided_backpropagation", "deconvnet", "gradient_x_input"),
    *("smoothgrad", "integrated_gradients", "grad_cam", "occlusion"),
)

NO_CHANNELS = Channels("numbers")
IMAGES = kinds.texts("a list of image ids and globs, all or first:N", allow_none=True)
CLASSES = kinds.targets("a list of class numbers and class names")
SOME_CLASSES = kinds.targets("a list of class numbers and class names, or []", allow_none=True)
PROBABILITY = kinds.share()
# Null: as many as make a job of `job_minutes`.
BY_COST = kinds.or_null(kinds.whole(1))
SHARE_OR_PX = kinds.number_above(0, allow_equal=False)
SOME_LAYERS = kinds.texts("a list of layer names and globs such as conv_stem, or []", allow_none=True)


@dataclasses.dataclass(frozen=True)
class InspectSettings:
    """The census tells all there is; nothing to set."""


@dataclasses.dataclass(frozen=True)
class ActivationsSettings:
    """What one forward pass per photograph leaves behind; `layers` None means those of the sweep.

    `maps` holds ids of the photographs whose whole maps are kept, in the layers `maps_layers` (None: all).
    """

    layers: tuple[str, ...] | None = setting(kinds.or_null(kinds.LAYERS), None)
    maps: tuple[str, ...] = setting(IMAGES, ("first:64",))
    maps_layers: tuple[str, ...] | None = setting(kinds.or_null(kinds.LAYERS), None)
    dtype: str = setting(kinds.choice("float16", "float32"), "float16")
    compression: str = setting(kinds.choice("none", "blosc-lz4", "gzip"), "none")
    draft: bool = setting(kinds.SWITCH, False)
    images_per_shard: int = setting(kinds.whole(1), 512)


@dataclasses.dataclass(frozen=True)
class ExamplesSettings:
    """How many photographs per unit are kept in the store and shown in the atlas."""

    keep: int = setting(kinds.whole(1), 40)
    top: int = setting(kinds.whole(1), 9)


@dataclasses.dataclass(frozen=True)
class AlikeSettings:
    """Look-alikes of units by the correlation of pooled activations; none where photographs are fewer than `at_least`.

    With few photographs the best of some thousand unrelated units correlates at .9 by chance: at 30 it is .6.
    """

    keep: int = setting(kinds.whole(0, 100), 10)
    pooled: str = setting(kinds.choice("max", "mean"), "max")
    at_least: int = setting(kinds.whole(4), 30)


@dataclasses.dataclass(frozen=True)
class TrustSettings:
    """How far pictures can be trusted, where look-alikes are known; `examples` best photographs per unit, 0: off."""

    examples: int = setting(kinds.whole(0), 9)


@dataclasses.dataclass(frozen=True)
class ChannelsSettings:
    """Pictures of channels from a random start."""

    layers: tuple[str, ...] | None = setting(kinds.or_null(kinds.LAYERS), None)
    channels: Channels = dataclasses.field(default=Channels("first", 16), metadata={"kind": kinds.CHANNELS})
    units_per_shard: int | None = setting(BY_COST, None)
    recipe: Recipe = dataclasses.field(default_factory=lambda: built_in.named("konvolut"))


@dataclasses.dataclass(frozen=True)
class NeuronSettings(ChannelsSettings):
    """Pictures for one cell of a channel, the one in the middle."""

    channels: Channels = dataclasses.field(default=NO_CHANNELS, metadata={"kind": kinds.CHANNELS})
    recipe: Recipe = dataclasses.field(default_factory=lambda: built_in.named("neuron"))


@dataclasses.dataclass(frozen=True)
class NegativeSettings(ChannelsSettings):
    """Pictures that silence a channel."""

    channels: Channels = dataclasses.field(default=NO_CHANNELS, metadata={"kind": kinds.CHANNELS})
    recipe: Recipe = dataclasses.field(default_factory=lambda: built_in.named("negative"))


@dataclasses.dataclass(frozen=True)
class DiversitySettings(ChannelsSettings):
    """Pictures of one channel that differ."""

    channels: Channels = dataclasses.field(default=NO_CHANNELS, metadata={"kind": kinds.CHANNELS})
    recipe: Recipe = dataclasses.field(default_factory=lambda: built_in.named("diverse"))


@dataclasses.dataclass(frozen=True)
class MacoSettings(ChannelsSettings):
    """Pictures of channels by phases alone, beside those of another recipe."""

    channels: Channels = dataclasses.field(default=NO_CHANNELS, metadata={"kind": kinds.CHANNELS})
    recipe: Recipe = dataclasses.field(default_factory=lambda: built_in.named("maco"))


@dataclasses.dataclass(frozen=True)
class DreamsSettings:
    """DeepDreams of photographs; `images` holds ids of photographs, `longest_side_px` only ever shrinks them."""

    layers: tuple[str, ...] | None = setting(kinds.or_null(kinds.LAYERS), None)
    channels: Channels = dataclasses.field(default=Channels("first", 4), metadata={"kind": kinds.CHANNELS})
    images: tuple[str, ...] = setting(IMAGES, ("first:3",))
    longest_side_px: int = setting(kinds.whole(16, LARGEST_SIDE_PX), 320)
    units_per_shard: int | None = setting(BY_COST, None)
    recipe: Recipe = dataclasses.field(default_factory=lambda: built_in.named("konvolut-dream"))


@dataclasses.dataclass(frozen=True)
class LayerDreamsSettings:
    """Dreams of photographs by all channels of a layer at once."""

    layers: tuple[str, ...] | None = setting(kinds.or_null(kinds.LAYERS), None)
    images: tuple[str, ...] = setting(IMAGES, ())
    longest_side_px: int = setting(kinds.whole(16, LARGEST_SIDE_PX), 320)
    images_per_shard: int | None = setting(BY_COST, None)
    recipe: Recipe = dataclasses.field(default_factory=lambda: built_in.named("octave-layer"))


@dataclasses.dataclass(frozen=True)
class AccentuationSettings:
    """Dreams that stay near their photograph, as a layer sees it: `near`, or the one halfway to the channel's own."""

    layers: tuple[str, ...] | None = setting(kinds.or_null(kinds.LAYERS), None)
    channels: Channels = dataclasses.field(default=Channels("first", 4), metadata={"kind": kinds.CHANNELS})
    images: tuple[str, ...] = setting(IMAGES, ())
    near: str | None = setting(kinds.or_null(kinds.TEXT), None)
    longest_side_px: int = setting(kinds.whole(16, LARGEST_SIDE_PX), 320)
    units_per_shard: int | None = setting(BY_COST, None)
    recipe: Recipe = dataclasses.field(default_factory=lambda: built_in.named("accentuation"))


@dataclasses.dataclass(frozen=True)
class CaricatureSettings:
    """From noise, pictures that have more of what a layer sees in a photograph."""

    layers: tuple[str, ...] | None = setting(kinds.or_null(kinds.LAYERS), None)
    images: tuple[str, ...] = setting(IMAGES, ())
    longest_side_px: int = setting(kinds.whole(16, LARGEST_SIDE_PX), 320)
    images_per_shard: int | None = setting(BY_COST, None)
    recipe: Recipe = dataclasses.field(default_factory=lambda: built_in.named("caricature"))


@dataclasses.dataclass(frozen=True)
class ClassesSettings:
    """Pictures of classes from noise, one for each regularisation; `strength` is the weight of its sum."""

    targets: tuple[str | int, ...] = setting(SOME_CLASSES, ())
    regularisation: tuple[str, ...] = setting(kinds.words_among("none", "l1", "l2"), ("none",))
    l1_strength: float = setting(kinds.number_above(0, allow_equal=False), 1e-4)
    l2_strength: float = setting(kinds.number_above(0, allow_equal=False), 1e-4)
    min_prob: float | None = setting(kinds.or_null(PROBABILITY), None)
    classes_per_shard: int | None = setting(BY_COST, None)
    recipe: Recipe = dataclasses.field(default_factory=lambda: built_in.named("class"))


@dataclasses.dataclass(frozen=True)
class SaliencySettings:
    """Attribution maps; `top` is how many of the predicted classes are explained."""

    methods: tuple[str, ...] = setting(kinds.words_among(*SALIENCY_METHODS), CHEAP_METHODS)
    targets: tuple[str | int, ...] = setting(kinds.TARGETS, ("predicted",))
    top: int = setting(kinds.whole(1, 5), 1)
    images_per_shard: int | None = setting(BY_COST, None)


@dataclasses.dataclass(frozen=True)
class PatchesSettings:
    """Squares of photographs whose hiding lowers the top class most; sizes are shares of the shorter side, or px."""

    images: tuple[str, ...] = setting(IMAGES, ())
    patch: float = setting(SHARE_OR_PX, 0.4)
    stride: float = setting(SHARE_OR_PX, 0.1)
    top: int = setting(kinds.whole(1), 5)
    longest_side_px: int = setting(kinds.whole(16, LARGEST_SIDE_PX), 320)
    images_per_shard: int | None = setting(BY_COST, None)


@dataclasses.dataclass(frozen=True)
class KernelsSettings:
    """Weights of convolutions as pictures; no layers, no pictures."""

    layers: tuple[str, ...] = setting(SOME_LAYERS, ())


@dataclasses.dataclass(frozen=True)
class FoolingSettings:
    """Photographs changed until a model takes them for something else; the numbers are timm-vis' (see fooling.py)."""

    images: tuple[str, ...] = setting(IMAGES, ())
    targets: tuple[str | int, ...] = setting(CLASSES, (0,))
    min_prob: float = setting(PROBABILITY, 0.9)
    steps: int = setting(kinds.whole(1), 500)
    learning_rate: float = setting(kinds.number_above(0, allow_equal=False), 0.5)
    step_size: int = setting(kinds.whole(1), 100)
    gamma: float = setting(kinds.number_above(0, allow_equal=False), 0.8)
    images_per_shard: int | None = setting(BY_COST, None)


@dataclasses.dataclass(frozen=True)
class InversionSettings:
    """Pictures with the features of a photograph in a layer; `layers` None means those of the sweep."""

    images: tuple[str, ...] = setting(IMAGES, ())
    layers: tuple[str, ...] | None = setting(kinds.or_null(kinds.LAYERS), None)
    distance: str = setting(kinds.choice("relative", "squared"), "relative")
    optimiser: str = setting(kinds.choice("adam", "sgd"), "adam")
    steps: int = setting(kinds.whole(1), 150)
    learning_rate: float = setting(kinds.number_above(0, allow_equal=False), 0.05)
    step_size: int = setting(kinds.whole(1), 50)
    gamma: float = setting(kinds.number_above(0, allow_equal=False), 0.6)
    total_variation: float = setting(kinds.number_above(0, allow_equal=True), 0.3)
    images_per_shard: int | None = setting(BY_COST, None)


@dataclasses.dataclass(frozen=True)
class AtlasSettings:
    """The pages; `images` holds ids of the photographs that have one, `feature_maps` of those whose maps are shown."""

    title: str = setting(kinds.TEXT, "Konvolut")
    thumbnails_px: int = setting(kinds.whole(32, 256), 96)
    large_px: int = setting(kinds.whole(64, 1024), 224)
    large: bool = setting(kinds.SWITCH, True)
    images: tuple[str, ...] = setting(IMAGES, ("first:500",))
    feature_maps: tuple[str, ...] = setting(IMAGES, ())
    animations: bool = setting(kinds.SWITCH, False)


SECTIONS = {
    "inspect": InspectSettings,
    "activations": ActivationsSettings,
    "examples": ExamplesSettings,
    "alike": AlikeSettings,
    "trust": TrustSettings,
    "channels": ChannelsSettings,
    "neuron": NeuronSettings,
    "negative": NegativeSettings,
    "diversity": DiversitySettings,
    "maco": MacoSettings,
    "dreams": DreamsSettings,
    "layer_dreams": LayerDreamsSettings,
    "accentuation": AccentuationSettings,
    "caricature": CaricatureSettings,
    "classes": ClassesSettings,
    "saliency": SaliencySettings,
    "patches": PatchesSettings,
    "kernels": KernelsSettings,
    "fooling": FoolingSettings,
    "inversion": InversionSettings,
    "atlas": AtlasSettings,
}
WITH_RECIPE = (*FROM_NOISE, "dreams", "layer_dreams", "accentuation", "caricature", "classes")
