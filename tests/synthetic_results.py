"""Results as the workflow writes them, made up in a second: vivid waves instead of features, real photographs."""

import csv
import functools
import json
from pathlib import Path

import numpy as np
import skimage

from konvolut.asked.settings import AtlasSettings, Photograph
from konvolut.atlas import plates
from konvolut.atlas.classes import ClassInputs, ClassModel
from konvolut.atlas.inputs import FrontInputs, ImageInputs, ImageModel, LayerInputs, ModelInputs
from konvolut.atlas.write import class_pages, front_page, image_pages, layer_pages, model_page
from konvolut.pictures import images
from konvolut.results import contents, store

SKIMAGE = Path(skimage.__file__).parent / "data"
CLASSES = ("tabby cat", "space shuttle", "espresso", "brass", "web site", "<b>nematode</b>")
PASSPORT = {"konvolut": "0", "recipe": {"name": "lucid", "steps": 128}, "seed": 0, "versions": {"torch": "2"}}
COLUMNS = [
    "index",
    "layer",
    "kind",
    "stage",
    "layout",
    "channels",
    "height",
    "width",
    "stride",
    "receptive_field_px",
    "receptive_field_start_px",
    "receptive_field_exact",
    "activation",
    "parameters",
    "flops",
    "calls",
    "inplace",
    "same_as",
    "auto",
    "refused",
]


def photographs(names=("astronaut", "chelsea", "coffee", "rocket", "retina", "camera")) -> tuple[Photograph, ...]:
    """Photographs of scikit-image; the first has a label that would be markup."""
    found = [next(SKIMAGE.glob(f"{name}.*")) for name in names]
    return tuple(
        Photograph(
            id=f"skimage/{path.stem}",
            key=f"skimage-{path.stem}",
            path=str(path),
            source=str(path),
            label="<script>alert('astronaut')</script>" if number == 0 else path.stem,
            group="skimage",
            credit="scikit-image",
        )
        for number, path in enumerate(found)
    )


def atlas_settings(photos: tuple[Photograph, ...], **given) -> AtlasSettings:
    """Settings as the configuration is read: every photograph has a page."""
    return AtlasSettings(**{"images": tuple(photo.id for photo in photos)} | given)


def waves(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A vivid picture (height, width, 3) uint8 of a few crossing waves."""
    y, x = np.mgrid[0:height, 0:width] / 32
    phases = [np.sin(x * a + y * b + c + np.sin(y * d)) for a, b, c, d in rng.uniform(-3, 3, (3, 4))]
    return ((np.stack(phases, -1) @ rng.uniform(-0.6, 0.6, (3, 3)) + 1) * 127.5).clip(0, 255).astype(np.uint8)


def pictures(rng: np.random.Generator, channels: list[int], start: np.ndarray | None, size: int = 96) -> store.Pictures:
    """Pictures of some channels; the first is dead, the second weak."""
    height, width = (size, size) if start is None else start.shape[:2]
    final = np.stack([waves(rng, height, width) for _ in channels])
    if start is not None:
        final = (final // 2 + start[None] // 2).astype(np.uint8)
    first = np.full_like(final, 120) if start is None else np.broadcast_to(start, final.shape)
    between = np.stack([(first * (1 - s) + final * s).astype(np.uint8) for s in (0.25, 0.5, 0.75, 1)], axis=1)
    curve = np.cumsum(rng.uniform(0, 0.1, (len(channels), 65)), axis=1).astype(np.float32)
    curve[0] = 0
    activation = np.stack([curve[:, -1] / 2, curve[:, -1] * 4, curve[:, -1] / 2, curve[:, -1] * 3], axis=1)
    activation[1:2] = 0.1
    return store.Pictures(
        channel=np.array(channels, np.int32),
        picture=final,
        step=np.array([16, 32, 48, 64], np.int32),
        intermediate=between,
        curve=curve,
        activation=activation.astype(np.float32),
        attempt=np.array([2] + [0] * (len(channels) - 1), np.int32),
    )


def layer_examples(rng: np.random.Generator, channels: int, photo_count: int) -> store.LayerExamples:
    """Made-up maxima of every unit over the photographs, with boxes of a fifth of the photograph."""
    maxima = rng.gamma(2, 1, (photo_count, channels)).astype(np.float32)
    order = np.argsort(-maxima, axis=0).T
    corner = rng.uniform(0, 0.8, (channels, photo_count, 2))
    counts = [np.histogram(maxima[:, channel], 24) for channel in range(channels)]
    between = rng.integers(0, photo_count, (channels, 3, 3))
    low = rng.uniform(0, 0.6, (channels, 3, 3, 2))
    return store.LayerExamples(
        image=order.astype(np.int32),
        value=np.take_along_axis(maxima, order.T, axis=0).T,
        cell=np.zeros((channels, photo_count, 2), np.int32),
        box=np.concatenate([corner, corner + 0.2], axis=2).astype(np.float32),
        mean=maxima.mean(0),
        std=maxima.std(0),
        max=maxima.max(0),
        active=(maxima > 0).mean(0).astype(np.float32),
        histogram=np.stack([count for count, _ in counts]).astype(np.int32),
        edges=np.stack([edges for _, edges in counts]).astype(np.float32),
        quantiles=np.quantile(maxima, (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99), axis=0).T.astype(np.float32),
        dead=maxima.max(0) == maxima.min(0),
        selectivity=rng.random(channels).astype(np.float32),
        class_index=np.tile(np.array([1, 0, -1], np.int32), (channels, 1)),
        class_share=np.tile(np.array([0.5, 0.25, 0], np.float32), (channels, 1)),
        quantile_image=between.astype(np.int32),
        quantile_value=np.sort(rng.random((channels, 3, 3)).astype(np.float32), axis=1),
        quantile_cell=np.zeros((channels, 3, 3, 2), np.int32),
        quantile_box=np.concatenate([low, low + 0.3], axis=-1).astype(np.float32),
    )


class Results:
    """A folder of made-up results of one model: `layers` maps names to (stage, channels, pictured channels)."""

    def __init__(self, folder: Path, key: str, layers: dict[str, tuple], photos: tuple[Photograph, ...]) -> None:
        self.folder, self.key, self.layers, self.photos = folder / key, key, layers, photos
        self.rng = np.random.default_rng(len(key))
        self.folder.mkdir(parents=True)
        self._write_facts()
        self._write_natural()
        self._write_trials()
        self.files = {name: self._write_pictures(name, pictured) for name, (_, _, pictured) in layers.items()}

    def layer_inputs(self, layer: str, **changes) -> LayerInputs:
        """What the job of one layer is given."""
        channels, dreams = self.files[layer]
        given = {
            "channels": channels,
            "dreams": dreams,
            "activations": (self.folder / "activations.h5",),
            "examples": self.folder / "examples.h5",
            "kernels": self.folder / "kernels.h5",
            "negative": self._others("negative", layer),
            "diversity": self._others("diversity", layer),
            "accentuation": self._others("accentuation", layer),
            "layer_dreams": (self.folder / "layer_dreams.h5",) if layer == "conv_stem" else (),
            "caricature": (self.folder / "caricature.h5",) if layer == "conv_stem" else (),
            "again": "snakemake results/again/{channel}.h5",
        }
        given["settings"] = atlas_settings(self.photos, feature_maps=(self.photos[0].id,))
        facts = (self.folder / "model.json", self.folder / "layers.csv", layer, self.photos)
        return LayerInputs(*facts, **(given | changes))

    def image_model(self, atlas: Path) -> ImageModel:
        """What the job of the photographs is given of this model."""
        return ImageModel(
            self.folder / "model.json",
            self.folder / "layers.csv",
            self.layer_folders(atlas),
            (self.folder / "activations.h5",),
            (self.folder / "saliency.h5",),
            self.folder / "examples.h5",
            (self.folder / "patches.h5",),
            (self.folder / "fooling.h5",),
            (("conv_stem", (self.folder / "inversion.h5",)),),
        )

    def class_model(self, atlas: Path) -> ClassModel:
        """What the job of the classes is given of this model."""
        paths = (self.folder / "classes.h5",), (self.folder / "activations.h5",)
        return ClassModel(self.folder / "model.json", self.folder / "layers.csv", *paths, self.layer_folders(atlas))

    def _others(self, technique: str, layer: str) -> tuple[Path, ...]:
        return tuple((self.folder / technique / layer).glob("*.h5"))

    def layer_folders(self, atlas: Path) -> tuple[tuple[str, Path], ...]:
        """Where the layers' jobs write."""
        return tuple((name, atlas / self.key / name) for name in self.layers)

    def _write_facts(self) -> None:
        facts = {
            "id": self.key,
            "key": self.key,
            "timm_name": "tf_efficientnet_lite0",
            "tag": "in1k",
            "weights": "random:0",
            "weights_sha256": "ab" * 32,
            "data": {"input_size": [3, 224, 224]},
            "parameters": 4_652_008,
            "class_count": 1000,
        }
        (self.folder / "model.json").write_text(json.dumps(facts), encoding="utf-8")
        with (self.folder / "layers.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.DictWriter(file, COLUMNS, restval="")
            rows.writeheader()
            for number, (name, (stage, channels, _)) in enumerate(self.layers.items()):
                sizes = {"channels": channels, "height": 112 >> number, "width": 112 >> number, "stride": 2 << number}
                field = {"receptive_field_px": 3 << (2 * number), "receptive_field_exact": "True", "flops": 1e8}
                rows.writerow({"index": number, "layer": name, "kind": "Conv2d", "stage": stage} | sizes | field)

    def _write_natural(self) -> None:
        keys = [photo.key for photo in self.photos]
        channels = {name: count for name, (_, count, _) in self.layers.items()}
        examples = {name: layer_examples(self.rng, count, len(keys)) for name, count in channels.items()}
        store.write_examples(
            self.folder / "examples.h5",
            store.Examples(keys, examples, len(keys), ["<i>cat</i>", "dog"], "labels"),
            PASSPORT,
        )
        rows, classes = len(keys), self.rng.permuted(np.tile(np.arange(6), (len(keys), 1)), axis=1)[:, :5]
        names = [[CLASSES[number] for number in row] for row in classes]
        shares = np.tile(np.array([0.62, 0.2, 0.05, 0.01, 0.001], np.float32), (rows, 1))
        maps = (
            {"conv_stem": self.rng.normal(0, 1, (rows, channels["conv_stem"], 7, 7))} if "conv_stem" in channels else {}
        )
        pooled = {
            name: store.LayerActivations(maps.get(name), value, value, np.zeros((*value.shape, 2), np.int32))
            for name, count in channels.items()
            for value in [self.rng.gamma(2, 1, (rows, count)).astype(np.float32)]
        }
        crop = np.zeros((rows, 4), np.float32)
        activations = store.Activations(keys, [""] * rows, crop, classes, shares, names, pooled, keys)
        store.write_activations(self.folder / "activations.h5", activations, PASSPORT, "gzip")
        maps = {name: self.rng.gamma(1, 1, (rows, 1, 64, 64)).astype(np.float32) for name in ("vanilla", "positive")}
        maps["gradient"] = self.rng.normal(0, 1, (rows, 1, 3, 64, 64)).astype(np.float32)
        maps["occlusion"] = self.rng.normal(0, 1, (rows, 1, 64, 64)).astype(np.float32)
        seen = np.stack([plates.resized(images.read(photo.path), 64, 64) for photo in self.photos])
        first = [[row[0]] for row in names]
        refused = {"deconvnet": "its activations are <i>SiLU</i>"}
        saliency = store.Saliency(keys, seen, classes[:, :1], first, shares[:, :1], maps, refused)
        store.write_saliency(self.folder / "saliency.h5", saliency, PASSPORT)

    def _write_trials(self) -> None:
        """Hidden squares, a fooled model, an inversion of the first photograph, and the kernels of conv_stem."""
        seen = plates.resized(images.read(self.photos[0].path), 64, 64)
        two, places = np.ones(2, np.float32), np.array([[0, 0], [20, 8], [8, 30]], np.int32)
        drop = np.array([0.1, 0.3, -0.2], np.float32)
        found = {
            "patches": contents.Patches(seen, 3, CLASSES[5], 0.6, 24, places, drop, np.array([1, 0], np.int32)),
            "fooling": contents.Fooling(
                *(seen, 3, "cat", np.array([7, 8], np.int32), [CLASSES[5], CLASSES[1]]),
                *(np.stack([seen // 2] * 2), np.array([0.9, 0.2], np.float32), 0.01 * two),
                *(np.array([18, 20], np.int32), 6 * two, 0.1 * two, np.linspace([0, 0], [1, 0.2], 21, axis=1)),
            ),
            "inversion": contents.Inversion(seen, seen // 2, 0.25, np.ones(4, np.float32)),
        }
        for kind, content in found.items():
            store.write_named(
                self.folder / f"{kind}.h5", kind, {self.photos[0].key: content}, PASSPORT | {"min_prob": 0.9}
            )
        steps = np.array([2, 4], np.int32)
        whole = contents.LayerPicture(seen, 255 - seen, steps, np.stack([seen, seen // 2]), np.arange(6.0), 0)
        for kind in ("layer_dreams", "caricature"):
            store.write_named(self.folder / f"{kind}.h5", kind, {self.photos[0].key: whole}, PASSPORT)
        curve = np.linspace(0, 1, 5)
        pictured = {
            f"{number}-{way}": contents.ClassPicture(
                *(number, CLASSES[number], way, seen // 2, 0.97, 4, steps, np.stack([seen, seen // 2])),
                *(9 * curve, curve, np.array([9, 9, 6, 6], np.float32), np.array([0.81, 0.8], np.float32), 0),
            )
            for number in (1, 5)
            for way in ("none", "l2")
        }
        store.write_named(self.folder / "classes.h5", "classes", pictured, PASSPORT)
        kernels = {"conv_stem": contents.Kernels(self.rng.normal(0, 1, (32, 3, 3, 3)))}
        store.write_named(self.folder / "kernels.h5", "kernels", kernels, PASSPORT)

    def _write_pictures(self, layer: str, pictured: list[int]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
        if not pictured:
            return (), ()
        half = (len(pictured) + 1) // 2
        shards = [part for part in (pictured[:half], pictured[half:]) if len(part) > 1] or [pictured]
        channels = []
        for part in shards:
            path = self.folder / "channels" / layer / f"{part[0]}-{part[-1]}.h5"
            store.write_pictures(path, "channels", {"noise": pictures(self.rng, part, None)}, PASSPORT)
            channels.append(path)
        path = self.folder / "dreams" / layer / f"{pictured[0]}-{pictured[-1]}.h5"
        dreamt = {
            photo.key: pictures(self.rng, pictured[:4], images.shrink(images.read(photo.path), 120))
            for photo in self.photos[:2]
        }
        store.write_pictures(path, "dreams", dreamt, PASSPORT)
        accents = {self.photos[0].key: dreamt[self.photos[0].key]}
        path_of_accents = self.folder / "accentuation" / layer / path.name
        store.write_pictures(path_of_accents, "accentuation", accents, PASSPORT)
        if layer == "conv_stem":
            for technique, starts in (("negative", ["noise"]), ("diversity", ["noise", "noise-2"])):
                other = {start: pictures(self.rng, pictured[:4], None) for start in starts}
                store.write_pictures(self.folder / technique / layer / path.name, technique, other, PASSPORT)
        return tuple(channels), (path,)


def small_results(folder: Path) -> list[Results]:
    """Two models: one has layers with few units, many, some of many, one and none; the other has one layer."""
    layers = {
        "conv_stem": ("stem", 32, list(range(16))),
        "blocks.1.0": ("1", 80, list(range(80))),
        "blocks.2.0.downsample": ("2", 1, [0]),
        "blocks.6.0": ("6", 320, [3, 5, 8, 100, 319]),
        "classifier": ("head", 40, []),
    }
    photos = photographs()
    return [
        Results(folder, "lite0", layers, photos),
        Results(folder, "untrained", {"conv_stem": ("stem", 32, list(range(12)))}, photos),
    ]


@functools.lru_cache(maxsize=1)
def small_atlas(folder: Path) -> tuple[list[Results], Path]:
    """small_results and their atlas, made once for all tests of a session."""
    results = small_results(folder / "synthetic-results")
    return results, write_atlas(results, folder / "synthetic-atlas").parent


def write_atlas(results: list[Results], atlas: Path, **settings) -> Path:
    """The whole atlas as the workflow's jobs write it, with some settings of its own."""
    photos = results[0].photos
    given = atlas_settings(photos, **settings)
    for result in results:
        of_layers = atlas_settings(photos, **{"feature_maps": (photos[0].id,)} | settings)
        for layer, folder in result.layer_folders(atlas):
            inputs = result.layer_inputs(layer, settings=of_layers)
            layer_pages(inputs, folder.with_name(folder.name + ".html"), folder)
        facts = (result.folder / "model.json", result.folder / "layers.csv")
        model_page(ModelInputs(*facts, result.layer_folders(atlas), given), atlas / result.key / "index.html")
    models = tuple(result.image_model(atlas) for result in results)
    classes = tuple(result.class_model(atlas) for result in results)
    class_pages(ClassInputs(classes, photos, given), atlas / "classes")
    image_pages(ImageInputs(photos, models, given, atlas / "classes"), atlas / "images")
    folders = tuple(atlas / result.key for result in results)
    made = {"classes": atlas / "classes", "images": atlas / "images"}
    front_page(FrontInputs(folders, photos, given, ("One photograph could not be read.",), **made), atlas)
    return atlas / "index.html"
