"""Transforms: limits (nothing moves nothing), known moves, and one slow warp pixel by pixel as the definition."""

import math

import pytest
import torch

from konvolut.asked.built_in import LUCID_TRANSFORMS
from konvolut.pictures import transforms

IDENTITY = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@pytest.fixture
def picture():
    return torch.rand(1, 2, 7, 9, generator=torch.Generator().manual_seed(0))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def slowly_warped(picture, matrix, size, padding):
    """Bilinear sampling as one would do it by hand; coordinates are measured from the centre."""
    channels, height, width = picture.shape
    warped = torch.zeros(channels, *size)

    def pixel(row, column):
        if padding == "wrap":
            return picture[:, row % height, column % width]
        inside = 0 <= row < height and 0 <= column < width
        return picture[:, row, column] if inside else torch.zeros(channels)

    for i in range(size[0]):
        for j in range(size[1]):
            at = torch.tensor([j - (size[1] - 1) / 2, i - (size[0] - 1) / 2, 1.0])
            x, y = (matrix @ at).tolist()
            column, row = x + (width - 1) / 2, y + (height - 1) / 2
            left, top = math.floor(column), math.floor(row)
            right_share, bottom_share = column - left, row - top
            warped[:, i, j] = (1 - bottom_share) * (
                (1 - right_share) * pixel(top, left) + right_share * pixel(top, left + 1)
            ) + bottom_share * ((1 - right_share) * pixel(top + 1, left) + right_share * pixel(top + 1, left + 1))
    return warped


@pytest.mark.parametrize("padding", ["grey", "wrap"])
def test_the_identity_changes_nothing(picture, padding):
    same = transforms.warp(picture, IDENTITY[None], (7, 9), padding)
    torch.testing.assert_close(same, picture, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["jitter", "scale", "rotate", "pad"])
def test_an_amount_of_zero_draws_the_identity(name):
    torch.testing.assert_close(transforms.draw([(name, 0.0)], 5, generator()), IDENTITY.expand(5, 2, 3))


@pytest.mark.parametrize("padding", ["grey", "wrap"])
@pytest.mark.parametrize("size", [(7, 9), (5, 12)], ids=str)
@pytest.mark.parametrize("seed", range(4))
def test_a_warp_is_bilinear_sampling_pixel_by_pixel(picture, padding, size, seed):
    matrix = transforms.draw([("jitter", 6.0), ("scale", 0.2), ("rotate", 40.0), ("jitter", 2.0)], 1, generator(seed))
    found = transforms.warp(picture, matrix, size, padding)[0]
    torch.testing.assert_close(found, slowly_warped(picture[0], matrix[0], size, padding), atol=1e-4, rtol=0)


@pytest.mark.parametrize("padding", ["grey", "wrap"])
def test_the_gradient_of_a_warp_is_its_transpose(picture, padding):
    matrix = transforms.draw([("jitter", 6.0), ("rotate", 20.0), ("scale", 0.2)], 1, generator(3))
    basis = torch.eye(picture.numel()).view(-1, *picture.shape[1:])
    columns = transforms.warp(basis, matrix.expand(len(basis), 2, 3), (5, 12), padding)
    weights = torch.rand(columns.shape[1:], generator=generator(1))
    picture.requires_grad_()
    (found,) = torch.autograd.grad((transforms.warp(picture, matrix, (5, 12), padding) * weights).sum(), picture)
    torch.testing.assert_close(found.flatten(), (columns * weights).sum((1, 2, 3)), atol=1e-5, rtol=1e-5)


def test_a_shift_that_wraps_is_a_roll(picture):
    matrix = IDENTITY.clone()
    matrix[:, 2] = torch.tensor([2.0, -3.0])
    found = transforms.warp(picture, matrix[None], (7, 9), "wrap")
    torch.testing.assert_close(found, picture.roll((3, -2), (2, 3)), atol=1e-5, rtol=0)


def test_a_quarter_turn_is_rot90():
    square = torch.rand(1, 3, 8, 8, generator=generator())
    turn = torch.tensor([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
    found = transforms.warp(square, turn[None], (8, 8))
    torch.testing.assert_close(found, torch.rot90(square, 1, (2, 3)), atol=1e-5, rtol=0)


def test_samples_are_warped_each_by_its_own_matrix(picture):
    matrices = transforms.draw([("jitter", 4.0), ("rotate", 9.0)], 2, generator())
    both = transforms.warp(picture.expand(2, -1, -1, -1), matrices, (7, 9), "wrap")
    for index in range(2):
        alone = transforms.warp(picture, matrices[index : index + 1], (7, 9), "wrap")
        assert torch.equal(both[index], alone[0])


def test_jitter_moves_by_whole_pixels_within_half_its_amount():
    shifts = transforms.draw([("jitter", 8.0)], 2000, generator())[:, :, 2]
    assert sorted(set(shifts.flatten().tolist())) == list(range(-4, 5))


def test_scale_magnifies_in_steps_of_a_fiftieth():
    magnified = 1 / transforms.draw([("scale", 0.1)], 2000, generator())[:, 0, 0]
    assert sorted({round(float(m), 4) for m in magnified}) == [round(0.9 + 0.02 * step, 4) for step in range(11)]


def test_rotate_turns_by_whole_degrees():
    matrices = transforms.draw([("rotate", 10.0)], 2000, generator()).double()
    degrees = torch.rad2deg(torch.atan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    assert sorted({round(float(d)) for d in degrees}) == list(range(-10, 11))
    torch.testing.assert_close(degrees, degrees.round(), atol=1e-3, rtol=0)


def test_lucids_view_is_the_padded_picture_less_its_crops():
    assert transforms.view_size((224, 224), LUCID_TRANSFORMS) == (236, 236)
    assert transforms.view_size((101, 57), [("jitter", 16.0), ("scale", 0.1)]) == (101, 57)


def test_draws_come_from_the_given_generator_alone():
    torch.manual_seed(1)
    first = transforms.draw(LUCID_TRANSFORMS, 3, generator(5))
    torch.manual_seed(2)
    assert torch.equal(first, transforms.draw(LUCID_TRANSFORMS, 3, generator(5)))
