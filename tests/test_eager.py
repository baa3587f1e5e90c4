"""The compiler of torch stays away until somebody asks for it; each case is a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
START = """
import sys
sys.path.insert(0, "workflow")
import konvolut.network.models
import torch

def is_there():
    return "torch._dynamo.eval_frame" in sys.modules

values = torch.zeros(3, requires_grad=True)
values.grad = torch.ones(3)
optimiser = torch.optim.Adam([values], lr=0.1, fused=True)
optimiser.step()
assert torch.allclose(values, torch.full((3,), -0.1))
assert not is_there()
"""


@pytest.mark.parametrize(
    "code",
    [
        "assert not torch._dynamo.utils.is_compile_supported('cpu')",
        "assert torch.compile(lambda x: 2 * x, backend='eager')(torch.ones(2)).tolist() == [2, 2] and is_there()",
        "import torch._dynamo.eval_frame as found; assert found is torch._dynamo.eval_frame and found.__file__",
        "from torch._dynamo import allow_in_graph; assert is_there()",
        "from torch._dynamo.utils import counters; assert torch._dynamo.utils.counters is counters",
        "assert torch._dynamo.config.suppress_errors is False and is_there()",
        "torch._dynamo.reset(); optimiser.step(); assert torch.allclose(values, torch.full((3,), -0.2))",
        "try: torch._dynamo.no_such\nexcept AttributeError: pass\nelse: raise SystemExit(1)",
        "try: import torch._dynamo.no_such\nexcept ModuleNotFoundError: pass\nelse: raise SystemExit(1)",
    ],
)
def test_whoever_asks_for_the_compiler_gets_the_real_one(code):
    run = subprocess.run([sys.executable, "-c", START + code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_a_compiler_that_is_there_already_is_left_alone():
    code = "import torch._dynamo, sys; real = torch._dynamo.graph_break; sys.path.insert(0, 'workflow');"
    code += "import konvolut.network.models; assert torch._dynamo.graph_break is real"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
