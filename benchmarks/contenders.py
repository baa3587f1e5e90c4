"""Ways to make the picture of a unit, for peers.py and transfer.py: ours, two peers, and the lab notebook's loop.

All make pictures of some units of one layer, of one size, of one model, normalised by its own mean and deviation; the
peers get it as timm builds it, with gradients for its parameters.
"""

import copy
import dataclasses
import os
import site
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow"))

import numpy as np
import torch

from konvolut.asked.censuses import LayerSpec, layer_spec
from konvolut.asked.recipes import Recipe
from konvolut.asked.settings import ModelSource
from konvolut.network import models, planes
from konvolut.network.census import census, write_census
from konvolut.network.streamline import streamlined
from konvolut.pictures import ascent
from konvolut.results.contents import Priors

ROOT = Path(__file__).parents[1]
PEERS_VENV = ROOT / ".venv-peers"


@dataclasses.dataclass
class Subject:
    """A model and the layer whose units are painted, as they are and made ready for our ascents."""

    network: models.Network
    layer: LayerSpec

    def __post_init__(self) -> None:
        self.lean = streamlined(self.network, self.layer.name)
        self.trainable = copy.deepcopy(self.network.module).requires_grad_(True)

    def objective(self, channel: int) -> Callable[[torch.Tensor], torch.Tensor]:
        """The whole model's forward pass with a hook at the layer, as peers do it: inputs -> the channel's mean."""
        caught = {}
        hook = lambda module, inputs, output: caught.update(output=output)  # noqa: E731
        self.trainable.get_submodule(self.layer.name).register_forward_hook(hook)

        def mean(inputs: torch.Tensor) -> torch.Tensor:
            self.trainable(inputs)
            return caught["output"][:, channel].mean()

        return mean


def open_subject(source: ModelSource, layer: str, device: str = "cpu") -> Subject:
    network = models.build(source, device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "layers.csv"
        write_census(census(network), path)
        return Subject(network, layer_spec(path, layer))


def konvolut(
    subject: Subject, channels: list[int], recipe: Recipe, px: int, priors: Priors | None = None
) -> np.ndarray:
    """(units, px, px, 3) uint8 by our own loop; `priors` are for MaCo."""
    units = [ascent.UnitStart(channel, (channel,), priors=priors) for channel in channels]
    return ascent.ascend(subject.lean, subject.layer, units, recipe, (px, px)).picture


def lucent(subject: Subject, channels: list[int], steps: int, px: int) -> np.ndarray:
    """torch-lucent's render_vis with its defaults (Fourier, decorrelated colours, its transforms, Adam .05)."""
    from lucent.optvis import objectives, param, render, transform

    data = subject.network.data
    mean, deviation = (torch.tensor(values).view(1, -1, 1, 1) for values in (data.mean, data.std))
    transforms = [*transform.standard_transforms, lambda pictures: (pictures - mean) / deviation]
    made = []
    for channel in channels:
        torch.manual_seed(channel)
        np.random.seed(channel)
        wanted = objectives.channel(subject.layer.name.replace(".", "_"), channel)
        options = {"transforms": transforms, "preprocess": False, "progress": False, "show_image": False}
        found = render.render_vis(
            subject.trainable, wanted, lambda: param.image(px), thresholds=(steps,), verbose=False, **options
        )
        forget_hooks(subject.trainable)
        made.append(found[-1][0])
    return to_u8(np.stack(made))


def horama(subject: Subject, channels: list[int], steps: int, px: int) -> np.ndarray:
    """Horama's `fourier` with its defaults (six crops a step, NAdam 1) but for the size of the picture."""
    from horama import fourier

    low, high = normalised_range(subject.network)
    made = []
    for channel in channels:
        torch.manual_seed(channel)
        picture, _ = fourier(
            subject.objective(channel), total_steps=steps, image_size=px, values_range=(low, high), device="cpu"
        )
        forget_hooks(subject.trainable)
        made.append(((picture.detach() - low) / (high - low)).permute(1, 2, 0).numpy())
    return to_u8(np.stack(made))


def notebook(subject: Subject, channels: list[int], steps: int, px: int) -> np.ndarray:
    """The lab notebook's loop: grey noise, Adam .1, a hook, the whole model's forward and backward pass."""
    made = []
    for channel in channels:
        generator = torch.Generator().manual_seed(channel)
        noise = (torch.rand(1, 3, px, px, generator=generator) * 30 + 150) / 255
        image = planes.normalise(subject.network, noise).requires_grad_()
        objective, optimiser = subject.objective(channel), torch.optim.Adam([image], lr=0.1, weight_decay=1e-6)
        for _ in range(steps):
            optimiser.zero_grad()
            (-objective(image)).backward()
            optimiser.step()
        forget_hooks(subject.trainable)
        made.append(planes.denormalise(subject.network, image.detach())[0].permute(1, 2, 0).numpy())
    return to_u8(np.stack(made))


def to_u8(pictures: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(pictures, 0, 1) * 255).astype(np.uint8)


def normalised_range(network: models.Network) -> tuple[float, float]:
    """What black and white are for the model (one number each: horama knows no colours here)."""
    mean, deviation = np.mean(network.data.mean), np.mean(network.data.std)
    return float(-mean / deviation), float((1 - mean) / deviation)


def forget_hooks(module: torch.nn.Module) -> None:
    """Peers leave their hooks on the model; they would be called in everybody's next pass."""
    for part in module.modules():
        part._forward_hooks.clear()


def import_peers() -> None:
    """Give the peers what they expect of older libraries."""
    import kornia
    import torchvision.ops
    from kornia.geometry import transform

    kornia.get_rotation_matrix2d, kornia.warp_affine = transform.get_rotation_matrix2d, transform.warp_affine
    if not torchvision.extension._has_ops():
        # The slow path in Python asks for terabytes at horama's sizes; bilinear samples at the same places need little.
        torchvision.ops.roi_align = sampled_boxes


def sampled_boxes(pictures: torch.Tensor, boxes: torch.Tensor, output_size: tuple[int, int]) -> torch.Tensor:
    """roi_align of one picture (1, C, H, W) with boxes (n, 5) (0, left, top, right, bottom), one sample per cell."""
    height, width = pictures.shape[2:]
    left, top, right, bottom = boxes[:, 1:].T
    zero = torch.zeros_like(left)
    theta = torch.stack([right - left, zero, right + left - width, zero, bottom - top, bottom + top - height], 1)
    theta = theta.view(-1, 2, 3) / torch.tensor([width, height]).view(1, 2, 1)
    grid = torch.nn.functional.affine_grid(theta, [len(boxes), 1, *output_size], align_corners=False)
    many = pictures.expand(len(boxes), -1, -1, -1)
    return torch.nn.functional.grid_sample(many, grid, padding_mode="border", align_corners=False)


def enter_peers_venv() -> None:
    """Go on in .venv-peers, which is made where it is missing: the peers, and this environment's torch and timm."""
    if Path(sys.prefix) == PEERS_VENV:
        return
    python = PEERS_VENV / "bin/python"
    ready = PEERS_VENV / "ready"
    if not ready.exists():
        venv.create(PEERS_VENV, with_pip=True)
        wanted = [str(python), "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(ROOT / "benchmarks/peers.txt")]
        subprocess.run(wanted, check=True)
        packages = next((PEERS_VENV / "lib").glob("python*/site-packages"))
        (packages / "konvolut.pth").write_text("\n".join(site.getsitepackages()) + "\n")
        ready.touch()
    os.execv(python, [str(python), "-W", "ignore", *sys.argv])
