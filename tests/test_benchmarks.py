"""The benchmark for GPUs runs where there is none, as far as it goes there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from konvolut.network.streamline import computes_in_bfloat16

ROOT = Path(__file__).parents[1]


def run(*arguments):
    words = [sys.executable, ROOT / "benchmarks/gpu.py", *arguments]
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_one_sentence():
    found = run()
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr.startswith("no GPU here")
    assert found.stderr.count("\n") == 1


def test_it_prints_channels_a_second_and_the_time_for_all_channels():
    found = run("--device", "cpu", "--layers", "conv1", "--batches", "2", "--px", "32", "--steps", "4")
    assert found.returncode == 0, found.stderr
    # The time of a step is a difference of two runs, which for pictures as small as these noise may turn round.
    cells = r"^conv1 +(float32|bfloat16) +2 +(-?[0-9.]+) +(-?[0-9.]+) +-?[0-9.]+"
    rows = re.findall(cells, found.stdout, re.MULTILINE)
    is_known = computes_in_bfloat16(torch.device("cpu"))
    assert [precision for precision, *_ in rows] == ["float32", "bfloat16"][: 1 + is_known]
    assert ("cannot compute in it" in found.stdout) is not is_known
    for _, channels, milliseconds in rows:
        assert float(channels) == pytest.approx(2 / (4 * float(milliseconds) / 1000), rel=0.1)
    assert "all 26,560 channels of convolutions" in found.stdout
