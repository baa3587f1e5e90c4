"""What each kind of page is made from: paths that come in from outside, photographs and settings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from konvolut.asked.recipes import FROM_NOISE
from konvolut.asked.settings import AtlasSettings, Photograph
from konvolut.asked.shards import AtlasShard

# Techniques by the files that they have: of each layer, of photographs for all layers, and one for a whole model.
OF_LAYERS = (*FROM_NOISE, "dreams", "accentuation", "layer_dreams", "caricature")
OF_PHOTOGRAPHS = ("activations", "saliency", "patches", "fooling")
OF_MODELS = ("kernels", "alike", "trust")


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
class ClassModel:
    """What is known of the classes of one model; `layers` are names and folders of the layers' pages."""

    model_json: Path
    census_csv: Path
    classes: tuple[Path, ...] = ()
    activations: tuple[Path, ...] = ()
    layers: tuple[tuple[str, Path], ...] = ()


@dataclass(frozen=True)
class ClassInputs:
    """Everything that the pages of classes are made from."""

    models: tuple[ClassModel, ...]
    photographs: tuple[Photograph, ...]
    settings: AtlasSettings


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


def layer_inputs(shard: AtlasShard, model: str, layer: str, files: Mapping, **more) -> LayerInputs:
    """What the page of a layer is made from; `files` has paths by technique, and `identity`, `layers` and `examples`.

    Of a whole model there are one or none; techniques that are not among the files have none.
    """
    return LayerInputs(
        model_json=files["identity"],
        census_csv=files["layers"],
        layer=layer,
        photographs=shard.photographs,
        settings=shard.settings,
        **{name: tuple(files.get(name, ())) for name in (*OF_LAYERS, "activations")},
        **{name: next(iter(files[name]), None) for name in OF_MODELS},
        examples=files["examples"],
        examples_shown=shard.examples_shown,
        alike_from=shard.alike_from,
        class_names=dict(shard.class_names).get(model, ()),
        **more,
    )


def image_model(model_json: Path, census_csv: Path, examples: Path | None, files: Mapping) -> ImageModel:
    """What one model made of the photographs; `files` has the paths of all models by technique, and their `folders`."""
    home, inverted = Path(model_json).parent, {}
    for path in _below(home, files["inversion"]):
        inverted.setdefault(Path(path).parent.name, []).append(path)
    return ImageModel(
        model_json,
        census_csv,
        _folders(home, files["folders"]),
        examples=examples,
        inversion=tuple((layer, tuple(paths)) for layer, paths in inverted.items()),
        **{name: _below(home, files[name]) for name in OF_PHOTOGRAPHS},
    )


def class_model(model_json: Path, census_csv: Path, files: Mapping) -> ClassModel:
    """What is known of the classes of one model; `files` as in image_model."""
    home = Path(model_json).parent
    own = {name: _below(home, files[name]) for name in ("classes", "activations")}
    return ClassModel(model_json, census_csv, layers=_folders(home, files["folders"]), **own)


def _below(home: Path, paths: Iterable) -> tuple:
    return tuple(path for path in paths if home in Path(path).parents)


def _folders(home: Path, folders: Iterable) -> tuple[tuple[str, Path], ...]:
    """Names and folders of the layers' pages of the model whose results lie in `home`."""
    return tuple((Path(folder).name, Path(folder)) for folder in folders if Path(folder).parent.name == home.name)
