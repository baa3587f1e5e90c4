"""An atlas as large as one asks for, through the workflow's own code, from pictures that repeat: for atlas.py.

Layers are those of ResNet-50 (53 convolutions, 26,560 channels), the network as often as it takes. Every page, data
file and sheet is written as a sweep would write it; but one shard of 64 made-up pictures stands for every shard, and a
picture that was scaled or encoded before is not scaled or encoded again, or a benchmark would take hours.
"""

import dataclasses
import functools
import hashlib
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np

from konvolut.asked.settings import AtlasSettings
from konvolut.atlas import model, plates, write
from konvolut.atlas.inputs import FrontInputs, ImageInputs, ModelInputs
from konvolut.pictures import images
from synthetic_results import PASSPORT, Results, photographs, pictures

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket", "retina", "camera", "coins", "moon", "brick", "grass")
SHARD = 64  # channels: a plate
PICTURE_PX = 224
BLOCKS = {1: 3, 2: 4, 3: 6, 4: 3}  # of ResNet-50's stages
STEM = 64
EXPANSION = 4


def resnet50_layers() -> dict[str, tuple[str, int, list[int]]]:
    """Name -> (stage, channels, []) of the 53 convolutions; no pictures are stored for them."""
    layers = {"conv1": ("stem", STEM, [])}
    for stage, blocks in BLOCKS.items():
        width = STEM << (stage - 1)
        for block in range(blocks):
            sizes = {"conv1": width, "conv2": width, "conv3": EXPANSION * width}
            if block == 0:
                sizes["downsample.0"] = EXPANSION * width
            layers |= {f"layer{stage}.{block}.{name}": (str(stage), size, []) for name, size in sizes.items()}
    return layers


class Wide:
    """Results of one network with pictures of every channel by `techniques`; `folder` takes the stored part."""

    def __init__(self, folder: Path, key: str, settings: AtlasSettings, techniques=("channels", "dreams")) -> None:
        self.layers = resnet50_layers()
        self.photos = photographs(PHOTOGRAPHS)
        shutil.rmtree(folder / key, ignore_errors=True)
        self.results = Results(folder, key, self.layers, self.photos)
        self.settings, self.techniques = settings, techniques

    def write_layer(self, atlas: Path, layer: str) -> None:
        """One layer's job."""
        count = self.layers[layer][1]
        shards = [f"{first}-{min(first + SHARD, count) - 1}" for first in range(0, count, SHARD)]
        paths = {name: tuple(Path(f"{shard}.{name}") for shard in shards) for name in self.techniques}
        given = {"channels": (), "dreams": ()} | paths
        inputs = self.results.layer_inputs(layer, kernels=None, **given)
        inputs = dataclasses.replace(inputs, settings=self.settings)
        folder = atlas / self.results.key / layer
        write.layer_pages(inputs, folder.with_name(f"{layer}.html"), folder)

    def write_model(self, atlas: Path) -> None:
        """The model's job."""
        facts = (self.results.folder / "model.json", self.results.folder / "layers.csv")
        inputs = ModelInputs(*facts, self.results.layer_folders(atlas), self.settings)
        write.model_page(inputs, atlas / self.results.key / "index.html")


def write_front(results: list[Wide], atlas: Path) -> None:
    """The job of the index: the only one that sees the whole atlas."""
    folders = tuple(atlas / one.results.key for one in results)
    write.front_page(FrontInputs(folders, results[0].photos, results[0].settings), atlas)


def write_photographs(results: list[Wide], atlas: Path) -> None:
    """The job of the photographs' pages."""
    models = tuple(one.results.image_model(atlas) for one in results)
    write.image_pages(ImageInputs(results[0].photos, models, results[0].settings), atlas / "images")


@functools.lru_cache(maxsize=1)
def shard_of_pictures() -> tuple:
    """64 vivid pictures from noise, and 64 from the first photograph, with four steps each."""
    rng = np.random.default_rng(0)
    photo = images.shrink(images.read(photographs(PHOTOGRAPHS[:1])[0].path), PICTURE_PX)
    return pictures(rng, list(range(SHARD)), None, PICTURE_PX), pictures(rng, list(range(SHARD)), photo)


def repeat_pictures() -> None:
    """From now on results of pictures are the one shard, whatever file is asked for."""

    def read(paths, order):
        for path in sorted(paths, key=lambda path: int(path.stem.partition("-")[0])):
            first, last = map(int, path.stem.split("-"))
            shard = shard_of_pictures()[path.suffix == ".dreams"]
            cut = {
                name: getattr(shard, name)[: last - first + 1]
                for name in ("picture", "intermediate", "curve", "activation", "attempt")
            }
            start = next(iter(order)) if path.suffix == ".dreams" else "noise"
            channel = np.arange(first, last + 1, dtype=np.int32)
            yield start, type(shard)(channel=channel, step=shard.step, **cut), PASSPORT

    model.read_pictures = read


def remember_sheets() -> None:
    """From now on a picture is scaled and a sheet is encoded once; equal ones are copied."""
    resize, encode, scaled, encoded = plates.resized, images.write_webp, {}, {}
    kept = [array for shard in shard_of_pictures() for array in (shard.picture, shard.intermediate)]
    places = [
        (array.__array_interface__["data"][0], array.__array_interface__["data"][0] + array.nbytes) for array in kept
    ]

    def resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
        address = picture.__array_interface__["data"][0]
        if not any(low <= address < high for low, high in places):
            return resize(picture, height, width)
        key = (address, picture.shape, picture.strides, height, width)
        if key not in scaled:
            scaled[key] = resize(picture, height, width)
        return scaled[key]

    def write_webp(path: Path, pixels: np.ndarray, quality: int) -> None:
        key = (hashlib.sha1(np.ascontiguousarray(pixels)).digest(), pixels.shape, quality)
        if key not in encoded:
            encode(path, pixels, quality)
            encoded[key] = Path(path).read_bytes()
        Path(path).write_bytes(encoded[key])

    plates.resized, images.write_webp = resized, write_webp
