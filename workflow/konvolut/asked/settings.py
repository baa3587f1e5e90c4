"""The configuration as frozen dataclasses; only this file and sections.py know a config key. No torch here.

Every default stands there once; config/README.md explains the keys and workflow/schemas/ describes them to editors
(a test holds the three together). Anything unknown or of the wrong kind is a UserError that names the key.
"""

import dataclasses
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from konvolut.asked import amounts, built_in, configfiles, keys, kinds, recipes, sheets, terms
from konvolut.asked.kinds import Channels, setting
from konvolut.asked.recipes import FROM_NOISE, Recipe
from konvolut.asked.sections import (
    LARGEST_SIDE_PX,
    SALIENCY_METHODS,
    SECTIONS,
    WITH_RECIPE,
    AccentuationSettings,
    ActivationsSettings,
    AlikeSettings,
    AtlasSettings,
    CaricatureSettings,
    ChannelsSettings,
    ClassesSettings,
    DiversitySettings,
    DreamsSettings,
    ExamplesSettings,
    FoolingSettings,
    InspectSettings,
    InversionSettings,
    KernelsSettings,
    LayerDreamsSettings,
    MacoSettings,
    NegativeSettings,
    NeuronSettings,
    PatchesSettings,
    SaliencySettings,
    TrustSettings,
)
from konvolut.asked.sheets import ModelSource, Photograph
from konvolut.errors import UserError

__all__ = ["SALIENCY_METHODS", "Channels", "ModelSource", "Photograph", "Settings", "check_images", "load"]

# torch.Generator and numpy both take any seed below 2**63.
LARGEST_SEED = 2**63 - 1
# Photographs that are looked at before a run starts: some tenths of a second.
HEADERS_AT_ONCE = 1000

# More pictures of one unit than anyone compares; bounds what a batch must hold.
MOST_VARIANTS = 16

# Of 8,192 px, sizes x 1.4 beyond this many are a pixel.
MOST_OCTAVES = 32

# Sections whose pictures start from noise alone, and those whose pictures are of all channels of a layer.
WITHOUT_PHOTOGRAPH, OF_WHOLE_LAYERS = (*FROM_NOISE, "classes"), ("layer_dreams", "caricature")

RECIPE_FIELDS = typing.get_type_hints(Recipe)
# Kinds of the recipe fields whose type alone says too little.
RECIPE_KINDS = {
    "objective": kinds.sums(terms.PATTERN, "a term such as peaks, or a list of terms and weights such as [[peaks, 1]]"),
    "optimiser": kinds.choice("adam", "nadam", "normalised", "sgd"),
    "start": kinds.choice("grey", "normal", "zero"),
    "step_size": kinds.whole(1),
    "gamma": kinds.number_above(0, allow_equal=False),
    "octaves": kinds.whole(1, MOST_OCTAVES),
    "octave_scale": kinds.number_above(1, allow_equal=False),
    "steps": kinds.whole(1),
    "keep_every": kinds.whole(0),
    "size_px": kinds.whole(16, LARGEST_SIDE_PX),
    "learning_rate": kinds.number_above(0, allow_equal=False),
    "units_per_batch": kinds.whole_or(recipes.AUTO, 1),
    "window": kinds.whole(1, LARGEST_SIDE_PX),
    "variants": kinds.whole(1, MOST_VARIANTS),
    "precision": kinds.choice(recipes.AUTO, "float32", "bfloat16"),
}


@dataclasses.dataclass(frozen=True)
class Settings:
    """A whole sweep: models and photographs of the sample sheets and one section per rule."""

    models: tuple[ModelSource, ...] = setting(kinds.TEXT, "config/models.tsv")
    images: tuple[Photograph, ...] = setting(kinds.TEXT, "config/images.tsv")
    images_on_error: str = setting(kinds.choice("fail", "skip"), "fail")
    layers: tuple[str, ...] = setting(kinds.LAYERS, ("auto",))
    seed: int = setting(kinds.whole(0, LARGEST_SEED), 0)
    device: str = setting(kinds.choice("auto", "cpu", "cuda", "mps"), "auto")
    job_minutes: float = setting(kinds.number_above(0.001, allow_equal=True), 15.0)
    inspect: InspectSettings = dataclasses.field(default_factory=InspectSettings)
    activations: ActivationsSettings = dataclasses.field(default_factory=ActivationsSettings)
    examples: ExamplesSettings = dataclasses.field(default_factory=ExamplesSettings)
    alike: AlikeSettings = dataclasses.field(default_factory=AlikeSettings)
    trust: TrustSettings = dataclasses.field(default_factory=TrustSettings)
    channels: ChannelsSettings = dataclasses.field(default_factory=ChannelsSettings)
    neuron: NeuronSettings = dataclasses.field(default_factory=NeuronSettings)
    negative: NegativeSettings = dataclasses.field(default_factory=NegativeSettings)
    diversity: DiversitySettings = dataclasses.field(default_factory=DiversitySettings)
    maco: MacoSettings = dataclasses.field(default_factory=MacoSettings)
    dreams: DreamsSettings = dataclasses.field(default_factory=DreamsSettings)
    layer_dreams: LayerDreamsSettings = dataclasses.field(default_factory=LayerDreamsSettings)
    accentuation: AccentuationSettings = dataclasses.field(default_factory=AccentuationSettings)
    caricature: CaricatureSettings = dataclasses.field(default_factory=CaricatureSettings)
    classes: ClassesSettings = dataclasses.field(default_factory=ClassesSettings)
    saliency: SaliencySettings = dataclasses.field(default_factory=SaliencySettings)
    patches: PatchesSettings = dataclasses.field(default_factory=PatchesSettings)
    kernels: KernelsSettings = dataclasses.field(default_factory=KernelsSettings)
    fooling: FoolingSettings = dataclasses.field(default_factory=FoolingSettings)
    inversion: InversionSettings = dataclasses.field(default_factory=InversionSettings)
    atlas: AtlasSettings = dataclasses.field(default_factory=AtlasSettings)


def load(config: Mapping, base: Path, read_images: Callable = sheets.read_images) -> Settings:
    """The settings that Snakemake's merged `config` means; relative paths refer to the folder `base`.

    Reads both sheets and looks for the files they name, photographs by `read_images(base, sheet)`. Raises UserError.
    """
    given = keys.mapping(config, "")
    top = keys.kinds_of(Settings)
    keys.refuse_unknown(given, [*top, *SECTIONS], "")
    sections = {name: _read_section(name, given.pop(name, None)) for name in SECTIONS}
    settings = dataclasses.replace(keys.read_section(Settings, given, ""), **sections)
    settings = dataclasses.replace(
        settings,
        models=sheets.read_models(Path(base), settings.models),
        images=read_images(Path(base), settings.images),
    )
    return _check_across(settings)


def load_files(paths: Sequence[Path]) -> Settings:
    """The settings that configuration files mean, each laid over the ones before, as Snakemake does it."""
    merged: dict = {}
    for path in paths:
        for key, value in configfiles.read(path).items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = {**merged[key], **value} if both else value
    return load(merged, Path())


def check_images(settings: Settings) -> tuple[str, ...]:
    """Look at the header of every photograph, of large sets the first thousand; sentences on those that are none.

    Raises UserError instead where `images_on_error` is fail. The rule plan looks at all of them, once.
    """
    from konvolut.pictures import images  # Pillow is only needed here, and the settings are read again by every job

    complaints = []
    for photograph in settings.images[:HEADERS_AT_ONCE]:
        try:
            images.check_header(photograph.path)
        except UserError as error:
            complaints.append(f"image {photograph.id!r}: {error}")
    if complaints and settings.images_on_error == "fail":
        more = f" (and {len(complaints) - 1} more such images)" if complaints[1:] else ""
        raise UserError(f"{complaints[0]}{more}; images_on_error: skip leaves such images out")
    return tuple(complaints)


def recipe_kinds() -> dict[str, kinds.Kind]:
    """The keys of a section that choose its recipe and override the recipe's fields, each with its kind."""
    own = {name: _recipe_kind(name, type_) for name, type_ in RECIPE_FIELDS.items() if name != "name"}
    return {"recipe": kinds.choice(*built_in.BUILT_IN), **own}


def _recipe_kind(name: str, type_: type) -> kinds.Kind:
    """What a field may hold: a number by its type, a word if one of the built-in recipes uses it."""
    used = [getattr(recipe, name) for recipe in built_in.BUILT_IN.values()]
    if name in RECIPE_KINDS:
        return RECIPE_KINDS[name]
    if name == "transforms":
        return kinds.pairs(*sorted({transform for transforms in used for transform, _ in transforms}))
    if type_ is str:
        return kinds.choice(*sorted(set(used)))
    return {bool: kinds.SWITCH, int: kinds.whole(0), float: kinds.number_above(0, allow_equal=True)}[type_]


def _read_section(name: str, raw: Any) -> Any:
    section, given = SECTIONS[name], keys.mapping(raw, name)
    if name not in WITH_RECIPE:
        return keys.read_section(section, given, name)
    recipe_keys = recipe_kinds()
    keys.refuse_unknown(given, [*keys.kinds_of(section), *recipe_keys], name)
    read = keys.read_section(section, {key: given[key] for key in given if key not in recipe_keys}, name)
    changes = {key: recipe_keys[key].setting(given[key], f"{name}.{key}") for key in given if key in recipe_keys}
    try:
        recipe = built_in.named(changes.pop("recipe", read.recipe.name), **changes)
    except UserError as error:
        raise UserError(f"config: {name}: {error}") from error
    amounts.check(name, recipe, getattr(read, "longest_side_px", recipe.size_px), LARGEST_SIDE_PX, changes)
    return dataclasses.replace(read, recipe=recipe)


def _check_across(settings: Settings) -> Settings:
    """Hold what one key says against another; ids of photographs take the place of globs."""
    if settings.examples.top > settings.examples.keep:
        raise UserError(
            f"config: examples.top ({settings.examples.top}) is more than examples.keep ({settings.examples.keep})"
        )
    for name in WITH_RECIPE:
        _check_recipe(name, getattr(settings, name).recipe)
    for name in SECTIONS:
        section = getattr(settings, name)
        for key in ("images", "maps", "feature_maps"):
            if hasattr(section, key):
                asked = getattr(section, key)
                chosen = sheets.choose_photographs(asked, settings.images, f"config: {name}.{key}")
                section = dataclasses.replace(section, **{key: chosen})
        settings = dataclasses.replace(settings, **{name: section})
    return _with_pages(settings)


def _with_pages(settings: Settings) -> Settings:
    """Photographs that a technique names have a page as well: what was made of them is shown nowhere else."""
    named = {*settings.atlas.images, *settings.atlas.feature_maps}
    for name in SECTIONS:
        named.update(getattr(getattr(settings, name), "images", ()))
    paged = tuple(photograph.id for photograph in settings.images if photograph.id in named)
    return dataclasses.replace(settings, atlas=dataclasses.replace(settings.atlas, images=paged))


def _check_recipe(section: str, recipe: Recipe) -> None:
    """Hold a section's recipe against what the section starts from and what its pictures are of."""
    parsed = [terms.parse(term) for term, _ in recipe.objective]
    if section not in FROM_NOISE and recipe.variants > 1:
        raise UserError(f"config: {section}.variants must be 1: only channels are made in variants")
    if section not in FROM_NOISE and recipe.parameterisation == "maco":
        raise UserError(
            f"config: {section}.parameterisation cannot be maco: it keeps nothing of a photograph but its statistics"
            " and is for channels alone"
        )
    if recipe.variants == 1 and "similarity" in {term.name for term in parsed}:
        raise UserError(f"config: {section}.objective: similarity is that of variants, and {section}.variants is 1")
    compared = next((term.name for term in parsed if term.name in terms.COMPARING), "")
    if compared and section in WITHOUT_PHOTOGRAPH:
        raise UserError(f"config: {section}.objective: {compared} compares with a photograph, and {section} has none")
    own = next((term.name for term in parsed if term.name in terms.OF_A_CHANNEL and term.channel is None), "")
    if own and section in OF_WHOLE_LAYERS:
        possible = [name for name in terms.OF_A_LAYER if name != "similarity"]
        raise UserError(
            f"config: {section}.objective: {own} is about a channel, and a picture of {section} is of a whole layer;"
            f" possible: {', '.join(possible)}, or a channel's number such as {own}:7"
        )
    if section == "classes" and recipe.objective != (("mean", 1.0),):
        raise UserError("config: classes.objective must be mean: the score of the class")
    if section == "classes" and recipe.octaves > 1:
        raise UserError("config: classes.octaves must be 1: the picture of a class is made at one size")
    if section == "classes" and (recipe.crops or recipe.noise):
        raise UserError("config: classes.crops and noise must be 0: the model sees the picture of a class as a whole")
