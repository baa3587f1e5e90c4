"""Marks of tests that need what not every machine has; they are skipped by name."""

import pytest
import torch

from konvolut.network.streamline import computes_in_bfloat16

IN_BFLOAT16 = pytest.mark.skipif(
    not computes_in_bfloat16(torch.device("cpu")), reason="this CPU cannot compute in bfloat16"
)
