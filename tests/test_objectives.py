"""Objectives: their definitions, one sample at a time; the grammar of terms."""

import itertools
import re
import statistics

import pytest
import torch

from konvolut.asked import terms
from konvolut.errors import UserError
from konvolut.pictures import objectives
from konvolut.pictures.objectives import Seen

CHANNELS = torch.tensor([2, 0, 2, 3])
ROWS, COLUMNS = 3, 5


@pytest.fixture
def seen():
    drawn = torch.randn(3, 4, 4, ROWS, COLUMNS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    grid = (ROWS, COLUMNS)
    return {"own": Seen(drawn[0].clamp(min=0), drawn[0], grid), "other": Seen(drawn[1], drawn[1], grid)}


def value(seen, *objective, variants=1, window=1):
    return objectives.summed(objective, "own", CHANNELS, variants, window)(seen).tolist()


def own_cells(seen, sample, linear=False):
    source = seen["own"].linear if linear else seen["own"].output
    return source[sample, CHANNELS[sample]].flatten().tolist()


def test_mean_is_the_mean_over_the_own_channels_map(seen):
    expected = [sum(own_cells(seen, b)) / 15 for b in range(4)]
    assert value(seen, ("mean", 1.0)) == pytest.approx(expected)


@pytest.mark.parametrize("window", [1, 2, 3, 9])
def test_peaks_is_the_mean_of_the_strongest_cell_of_each_square(seen, window):
    seen["own"] = Seen(seen["own"].linear, seen["own"].linear, (ROWS, COLUMNS))
    expected = []
    for b in range(4):
        cells = seen["own"].output[b, CHANNELS[b]]
        corners = itertools.product(range(0, ROWS, window), range(0, COLUMNS, window))
        expected.append(statistics.mean(float(cells[r : r + window, c : c + window].max()) for r, c in corners))
    assert value(seen, ("peaks", 1.0), window=window) == pytest.approx(expected)


def test_peaks_of_squares_of_one_cell_is_the_mean(seen):
    assert value(seen, ("peaks", 1.0), window=1) == pytest.approx(value(seen, ("mean", 1.0)))


def test_negative_is_minus_the_mean_before_the_activation(seen):
    expected = [-sum(own_cells(seen, b, linear=True)) / 15 for b in range(4)]
    assert value(seen, ("negative", 1.0)) == pytest.approx(expected)


def test_neuron_is_the_cell_in_the_centre_or_the_one_that_is_named(seen):
    maps = seen["own"].output
    assert value(seen, ("neuron", 1.0)) == [float(maps[b, c, 1, 2]) for b, c in enumerate(CHANNELS)]
    assert value(seen, ("neuron[2,4]", 1.0)) == [float(maps[b, c, 2, 4]) for b, c in enumerate(CHANNELS)]
    assert value(seen, ("neuron:1[0,3]@other", 1.0)) == seen["other"].output[:, 1, 0, 3].tolist()
    with pytest.raises(UserError, match=r"cell \[3,0\] is not in the layer's 3 x 5 cells"):
        value(seen, ("neuron[3,0]", 1.0))


def test_a_cell_keeps_its_place_in_pictures_of_another_size():
    maps = torch.arange(6 * 10.0).reshape(1, 6, 10)
    assert objectives.neuron(maps, (3, 5), (2, 4)).tolist() == [float(maps[0, 5, 9])]
    assert objectives.neuron(maps[:, ::2, ::2], (6, 10), (5, 9)).tolist() == [float(maps[0, 4, 8])]


def test_layer_is_the_mean_square_and_norm_the_length_of_all_channels(seen):
    squares = [sum(v * v for v in sample.flatten().tolist()) for sample in seen["own"].output]
    assert value(seen, ("layer", 1.0)) == pytest.approx([total / 60 for total in squares])
    assert value(seen, ("norm", 1.0)) == pytest.approx([total**0.5 for total in squares])


def test_similarity_is_the_sum_of_cosines_between_gram_matrices_of_one_units_pictures(seen):
    def gram(sample):
        flat = seen["own"].output[sample].flatten(1)
        return torch.stack([torch.stack([(a * b).sum() for b in flat]) for a in flat])

    def cosine(a, b):
        return float((gram(a) * gram(b)).sum() / gram(a).norm() / gram(b).norm())

    pairs = [cosine(0, 1), cosine(0, 1), cosine(2, 3), cosine(2, 3)]
    assert value(seen, ("similarity", 1.0), variants=2) == pytest.approx(pairs)
    four = [sum(cosine(a, b) for b in range(4) if b != a) for a in range(4)]
    assert value(seen, ("similarity", 1.0), variants=4) == pytest.approx(four)
    assert value(seen, ("similarity", 1.0)) == pytest.approx([0] * 4)


def test_a_sum_of_channels_is_a_direction(seen):
    direction = torch.tensor([0.5, 0.0, -2.0, 0.0], dtype=torch.float64)
    expected = torch.einsum("bchw,c->bhw", seen["other"].output, direction).mean(dim=(1, 2))
    assert value(seen, ("mean:0@other", 0.5), ("mean:2@other", -2.0)) == pytest.approx(expected.tolist())


def test_terms_of_a_sum_count_with_their_weights(seen):
    mean, neuron = value(seen, ("mean", 1.0)), value(seen, ("neuron:1@other", 1.0))
    expected = [2 * a - 0.5 * b for a, b in zip(mean, neuron, strict=True)]
    assert value(seen, ("mean", 2.0), ("neuron:1@other", -0.5)) == pytest.approx(expected)


@pytest.mark.parametrize("name", terms.OF_A_CHANNEL)
def test_a_samples_objective_sees_its_own_channel_alone(seen, name):
    drawn = seen["other"].output.clone().requires_grad_()
    here = {"own": Seen(drawn, drawn, (ROWS, COLUMNS))}
    objectives.summed(((name, 1.0),), "own", CHANNELS)(here)[1].backward()
    touched = {tuple(index[:2]) for index in drawn.grad.nonzero().tolist()}
    assert touched == {(1, 0)}


def test_pictures_of_different_units_never_mix(seen):
    drawn = seen["other"].output.clone().requires_grad_()
    here = {"own": Seen(drawn, drawn, (ROWS, COLUMNS))}
    objective = objectives.summed((("mean", 1.0), ("similarity", -100.0)), "own", CHANNELS, variants=2)
    objective(here)[1].backward()
    assert {index[0] for index in drawn.grad.nonzero().tolist()} == {0, 1}


def test_a_channel_that_a_layer_does_not_have_is_refused(seen):
    with pytest.raises(UserError, match="channel 9 is out of range, possible are 0 to 3"):
        value(seen, ("mean:9", 1.0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mean", terms.Term("mean")),
        ("peaks:12", terms.Term("peaks", 12)),
        ("neuron[0,7]", terms.Term("neuron", None, (0, 7))),
        ("neuron:3[10,2]@blocks.2.1", terms.Term("neuron", 3, (10, 2), "blocks.2.1")),
        ("layer@conv_stem", terms.Term("layer", layer="conv_stem")),
    ],
)
def test_a_term_says_whose_channel_which_cell_and_what_layer(text, expected):
    assert re.search(terms.PATTERN, text)
    assert terms.parse(text) == expected


@pytest.mark.parametrize("text", ["", "means", "mean[1,2]", "layer:3", "mean:", "mean@", "neuron[1]", "mean mean"])
def test_what_is_no_term_is_refused(text):
    assert not re.search(terms.PATTERN, text)


def test_an_objective_names_the_layers_it_needs_beside_the_units_own():
    objective = (("mean", 1.0), ("mean:3@b", 1.0), ("negative@c", -1.0), ("layer@b", 0.5))
    assert terms.layers_of(objective) == ("b", "c")
    assert terms.linear_layers(objective, "a") == ("c",)
    assert terms.linear_layers((("negative", 1.0),), "a") == ("a",)
