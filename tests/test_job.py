"""Jobs load their modules without a look for garbage, and look for it again afterwards, whatever happened."""

import ast
import gc
from pathlib import Path

import pytest

from konvolut import job

SCRIPTS = sorted((Path(__file__).parents[1] / "scripts").glob("*.py"))


def test_garbage_is_looked_for_after_the_imports_also_where_one_failed():
    try:
        with job.imports():
            assert not gc.isenabled()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
        with pytest.raises(ImportError), job.imports():
            raise ImportError
        assert gc.isenabled()
    finally:
        gc.unfreeze()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_loads_our_modules_that_way(script):
    tree = ast.parse(script.read_text())
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.With) and "job.imports()" in ast.unparse(node)]
    inside = {id(node) for node in ast.walk(blocks[-1])}  # the innermost comes last
    ours = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module.startswith("konvolut")]
    outside = [ast.unparse(node) for node in ours if id(node) not in inside]
    assert outside == ["from konvolut import job"]
    assert len(ours) > 1
