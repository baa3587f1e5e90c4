"""What one job is told: frozen dataclasses that travel to scripts as JSON (as_json.py). No torch here."""

import dataclasses

from konvolut.asked.recipes import Recipe
from konvolut.asked.settings import AtlasSettings, ModelSource, Photograph

TOLD_OTHERWISE = {"model", "photographs", "device"}


@dataclasses.dataclass(frozen=True)
class ActivationsShard:
    """One forward pass per photograph for all layers; whole maps of the photographs `maps` (ids) in `maps_layers`
    (globs, None: all). `keep` best photographs go on to the rule examples; `on_error` is skip or fail.
    """

    model: ModelSource
    photographs: tuple[Photograph, ...]
    layers: tuple[str, ...]
    maps: tuple[str, ...]
    maps_layers: tuple[str, ...] | None
    dtype: str
    compression: str
    draft: bool
    keep: int
    on_error: str
    device: str


@dataclasses.dataclass(frozen=True)
class ExamplesShard:
    """The photographs that excite each unit of a model most."""

    model: ModelSource
    keep: int


@dataclasses.dataclass(frozen=True)
class AlikeShard:
    """The units most alike to each unit of a model, by pooled activations: max or mean."""

    model: ModelSource
    keep: int
    pooled: str


@dataclasses.dataclass(frozen=True)
class TrustShard:
    """How far the pictures of a model's channels can be trusted: by so many best photographs, in all `models`."""

    model: ModelSource
    models: tuple[ModelSource, ...]
    layers: tuple[str, ...]
    examples: int
    device: str


@dataclasses.dataclass(frozen=True)
class ChannelsShard:
    """Pictures of some channels of one layer from a random start, by the rule channels or one beside it."""

    model: ModelSource
    layer: str
    channels: tuple[int, ...]
    recipe: Recipe
    seed: int
    device: str
    technique: str = dataclasses.field(default="channels", kw_only=True)
    why: str = dataclasses.field(default="", kw_only=True)


@dataclasses.dataclass(frozen=True)
class PrecisionShard:
    """How fast a model is on a device."""

    model: ModelSource
    device: str


@dataclasses.dataclass(frozen=True)
class PriorsShard:
    """What all photographs have in common, as pictures of a side."""

    photographs: tuple[Photograph, ...]
    side_px: int


@dataclasses.dataclass(frozen=True)
class DreamsShard:
    """Dreams of every photograph for some channels of one layer."""

    model: ModelSource
    layer: str
    channels: tuple[int, ...]
    photographs: tuple[Photograph, ...]
    recipe: Recipe
    longest_side_px: int
    seed: int
    device: str
    why: str = dataclasses.field(default="", kw_only=True)


@dataclasses.dataclass(frozen=True)
class LayerShard:
    """Pictures of a whole layer for some photographs: its dreams, or its caricatures."""

    model: ModelSource
    layer: str
    photographs: tuple[Photograph, ...]
    recipe: Recipe
    longest_side_px: int
    seed: int
    device: str
    why: str = dataclasses.field(default="", kw_only=True)


@dataclasses.dataclass(frozen=True)
class AccentuationShard(DreamsShard):
    """Dreams that stay near their photographs in the layer `near`; None: one is chosen by the census."""

    near: str | None


@dataclasses.dataclass(frozen=True)
class ClassesShard:
    """Pictures of some classes from noise, one for each regularisation."""

    model: ModelSource
    targets: tuple[str | int, ...]
    regularisation: tuple[str, ...]
    l1_strength: float
    l2_strength: float
    min_prob: float | None
    recipe: Recipe
    seed: int
    device: str
    why: str = dataclasses.field(default="", kw_only=True)


@dataclasses.dataclass(frozen=True)
class SaliencyShard:
    """Attribution maps of some photographs."""

    model: ModelSource
    photographs: tuple[Photograph, ...]
    methods: tuple[str, ...]
    targets: tuple[str | int, ...]
    top: int
    seed: int
    device: str


@dataclasses.dataclass(frozen=True)
class PatchesShard:
    """Squares of some photographs whose hiding lowers the top class most."""

    model: ModelSource
    photographs: tuple[Photograph, ...]
    patch: float
    stride: float
    top: int
    longest_side_px: int
    device: str


@dataclasses.dataclass(frozen=True)
class KernelsShard:
    """Weights of a model's convolutions."""

    model: ModelSource
    layers: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class FoolingShard:
    """Some photographs, each changed until the model takes it for each of the targets."""

    model: ModelSource
    photographs: tuple[Photograph, ...]
    targets: tuple[str | int, ...]
    min_prob: float
    steps: int
    learning_rate: float
    step_size: int
    gamma: float
    device: str


@dataclasses.dataclass(frozen=True)
class InversionShard:
    """Pictures with the features of some photographs in one layer."""

    model: ModelSource
    layer: str
    photographs: tuple[Photograph, ...]
    distance: str
    optimiser: str
    steps: int
    learning_rate: float
    step_size: int
    gamma: float
    total_variation: float
    seed: int
    device: str


@dataclasses.dataclass(frozen=True)
class AtlasShard:
    """What pages need beside results; `again` is the command that renders one unit again, with {channel} in it.

    `alike_from` is how many photographs look-alikes and trust need, 0 where nobody asks; `class_names` are those
    of the model sheet, by the model's key.
    """

    photographs: tuple[Photograph, ...]
    settings: AtlasSettings
    examples_shown: int
    again: str = ""
    alike_from: int = 0
    class_names: tuple[tuple[str, tuple[str, ...]], ...] = ()


def told(shard) -> dict:
    """What a passport says of a shard: everything but the model and the photographs, which it says in other ways."""
    facts = {name: value for name, value in dataclasses.asdict(shard).items() if name not in TOLD_OTHERWISE}
    return facts | ({"recipe": shard.recipe.told()} if hasattr(shard, "recipe") else {})
