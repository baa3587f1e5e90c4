"""What each kind of page is made from: paths that come in from outside, photographs and settings."""

from dataclasses import dataclass
from pathlib import Path

from konvolut.asked.settings import AtlasSettings, Photograph


@dataclass(frozen=True)
class LayerInputs:
    """Everything that the page of one layer is made from; `again` is a command with {channel} in it, or "".

    `planned` are the channels that a running sweep makes pictures of, whether they are there or not; `alike_from` is
    how many photographs look-alikes and trust need, 0 where nobody asks for them; `class_names` those of the sheet.
    """

    model_json: Path
    census_csv: Path
    layer: str
    photographs: tuple[Photograph, ...]
    settings: AtlasSettings
    channels: tuple[Path, ...] = ()
    neuron: tuple[Path, ...] = ()
    negative: tuple[Path, ...] = ()
    diversity: tuple[Path, ...] = ()
    maco: tuple[Path, ...] = ()
    dreams: tuple[Path, ...] = ()
    accentuation: tuple[Path, ...] = ()
    layer_dreams: tuple[Path, ...] = ()
    caricature: tuple[Path, ...] = ()
    activations: tuple[Path, ...] = ()
    examples: Path | None = None
    kernels: Path | None = None
    alike: Path | None = None
    trust: Path | None = None
    examples_shown: int = 9
    alike_from: int = 0
    again: str = ""
    class_names: tuple[str, ...] = ()
    planned: tuple[int, ...] = ()


@dataclass(frozen=True)
class ModelInputs:
    """Everything that the page of one model is made from; `layers` are the folders that layer_pages filled."""

    model_json: Path
    census_csv: Path
    layers: tuple[tuple[str, Path], ...]
    settings: AtlasSettings
    running: bool = False


@dataclass(frozen=True)
class ImageModel:
    """What one model made of the photographs; `layers` are the folders that layer_pages filled.

    `inversion` has the files of each layer.
    """

    model_json: Path
    census_csv: Path
    layers: tuple[tuple[str, Path], ...] = ()
    activations: tuple[Path, ...] = ()
    saliency: tuple[Path, ...] = ()
    examples: Path | None = None
    patches: tuple[Path, ...] = ()
    fooling: tuple[Path, ...] = ()
    inversion: tuple[tuple[str, tuple[Path, ...]], ...] = ()


@dataclass(frozen=True)
class ImageInputs:
    """Everything that the pages of photographs are made from; `left_out` has a sentence on each that cannot be read."""

    photographs: tuple[Photograph, ...]
    models: tuple[ImageModel, ...]
    settings: AtlasSettings
    classes: Path | None = None
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class FrontInputs:
    """Everything that front, about and manifest are made from; `models` are the folders that model_page filled.

    `remarks` are sentences for the page about the atlas, for example which photographs could not be read; `running`
    says how far a sweep is that has not ended.
    """

    models: tuple[Path, ...]
    photographs: tuple[Photograph, ...]
    settings: AtlasSettings
    remarks: tuple[str, ...] = ()
    classes: Path | None = None
    images: Path | None = None
    running: str = ""
