"""Tiles of feature maps and kernels: greys by hand, colours around zero, sharp cells; trials as pages show them."""

import numpy as np
import pytest

from konvolut.atlas import tiles, trials
from konvolut.atlas.inputs import ImageModel
from konvolut.results import contents, store

PASSPORT = {"konvolut": "0"}


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_a_feature_map_is_grey_from_its_minimum_to_its_maximum(rng):
    values = rng.normal(size=(7, 5)).astype(np.float16)
    tile = tiles.grey_tile(values)
    wide = values.astype(float)
    for y, x in np.ndindex(7, 5):
        grey = round(255 * (wide[y, x] - wide.min()) / (wide.max() - wide.min()))
        assert abs(int(tile[y, x, 0]) - grey) <= 1
    assert not np.diff(tile, axis=2).any()
    assert not tiles.grey_tile(np.full((3, 3), 4.0)).any()


def test_the_kernel_of_a_first_layer_is_in_colours_around_grey(rng):
    weight = rng.normal(size=(3, 3, 3))
    weight[:, 1, 1] = 0
    tile = tiles.kernel_tile(weight)
    assert tile[1, 1].tolist() == [128, 128, 128]
    limit = np.abs(weight).max()
    for c, y, x in np.ndindex(3, 3, 3):
        assert abs(int(tile[y, x, c]) - (weight[c, y, x] / limit + 1) / 2 * 255) <= 1


def test_the_planes_of_a_deep_kernel_lie_in_rows(rng):
    weight = rng.normal(size=(5, 3, 3))
    tile = tiles.kernel_tile(weight)
    assert tile.shape == (7, 11, 3)
    for number in range(5):
        y, x = number // 3 * 4, number % 3 * 4
        part = tile[y : y + 3, x : x + 3].astype(int)
        assert np.array_equal(part[..., 0] > part[..., 2], weight[number] > 0)
    assert (tile[3] == tiles.plates.FREE).all()


def test_planes_of_one_weight_lie_side_by_side(rng):
    assert tiles.kernel_tile(rng.normal(size=(16, 1, 1))).shape == (4, 4, 3)


def test_small_tiles_are_enlarged_with_sharp_edges():
    tile = np.zeros((2, 2, 3), np.uint8)
    tile[0, 1] = 200
    shown = tiles.enlarged(tile, 96)
    assert shown.shape == (96, 96, 3)
    assert set(np.unique(shown)) == {0, 200}
    assert tiles.enlarged(np.zeros((3, 7, 3), np.uint8), 40).shape == (40, 40, 3)
    assert tiles.enlarged(np.zeros((150, 120, 3), np.uint8), 96).shape == (96, 96, 3)


def test_the_trials_of_a_photograph_are_read_and_their_pictures_written(rng, tmp_path):
    def picture(*shape):
        return rng.integers(0, 256, shape, dtype=np.uint8)

    corner = np.array([[0, 0], [0, 8], [8, 0]], np.int32)
    drop = np.array([0.1, -0.2, 0.3], np.float32)
    patches = contents.Patches(picture(16, 24, 3), 3, "cat", 0.5, 8, corner, drop, np.array([2, 0], np.int32))
    two, steps = np.ones(2, np.float32), np.array([18, 20], np.int32)
    curve = np.linspace([0, 0], [1, 0.5], 21, axis=1).astype(np.float32)
    curve[0, 19:] = np.nan  # enough after 18 steps
    fooled = contents.Fooling(
        *(picture(16, 16, 3), 3, "cat", np.array([7, 8], np.int32), ["<b>ship", "cow"], picture(2, 16, 16, 3)),
        *(np.array([0.9, 0.5], np.float32), 0.1 * two, steps, 6 * two, 0.125 * two, curve),
    )
    knows = contents.Inversion(picture(16, 16, 3), picture(16, 16, 3), 0.25, np.ones(4, np.float32))
    for kind, content in {"patches": patches, "fooling": fooled, "inversion": knows}.items():
        store.write_named(tmp_path / f"{kind}.h5", kind, {"p": content}, PASSPORT | {"min_prob": 0.9})
    source = ImageModel(
        *(tmp_path / "model.json", tmp_path / "layers.csv"),
        patches=(tmp_path / "patches.h5",),
        fooling=(tmp_path / "fooling.h5",),
        inversion=(("stem", (tmp_path / "inversion.h5",)),),
    )
    writer = trials.TrialWriter(source, "net", tmp_path / "trials")
    found = writer.trials("p")
    assert [round(share, 3) for _, share in found.patches.squares] == [0.3, 0.1]
    assert (found.fooled[0].target, found.fooled[0].steps, found.fooled[0].linf) == ("<b>ship", 18, 0.125)
    assert [one.is_fooled for one in found.fooled] == [True, False]
    ends = [one.curve.split()[-1] for one in found.fooled]
    assert ends == ["240.0,6.0", "240.0,30.0"], "90 and 50 of 100, of 60 px from below"
    assert (found.remembered[0].layer, found.remembered[0].relative_error) == ("stem", 0.25)
    saved = tmp_path / found.fooled[0].picture
    assert saved.suffix == ".png"
    assert np.array_equal(trials.images.read(saved), fooled.picture[0]), "lossless: the file must fool the model"
    assert all((tmp_path / file).is_file() for file, _ in found.patches.squares)
    assert writer.trials("q") == trials.Trials()


def test_a_frame_leaves_what_is_inside(rng):
    picture = rng.integers(0, 200, (20, 20, 3), dtype=np.uint8)
    drawn = trials.framed(picture, np.array([[4, 6]]), 10)
    assert (drawn[4, 6:16] == 255).all()
    assert np.array_equal(drawn[6:12, 8:14], picture[6:12, 8:14])
    assert np.array_equal(drawn[:4], picture[:4])
