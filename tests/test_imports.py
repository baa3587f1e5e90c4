"""Imports point one way, and each outside library has one owner; read off the syntax trees."""

import ast
from pathlib import Path

import pytest

from konvolut import provenance

PACKAGE = Path(provenance.__file__).parent
MODULES = sorted(
    str(path.relative_to(PACKAGE).with_suffix("")).replace("/", ".")
    for path in PACKAGE.rglob("*.py")
    if path.name != "__init__.py"
)

# Who may import what: the only door to each library.
OWNERS = {
    "timm": {"network.models"},
    "PIL": {"pictures.images"},
    "h5py": {"results.hdf5"},
    "hdf5plugin": {"results.hdf5"},
    "jinja2": {"atlas.pages"},
    "minify": {"atlas.assets"},
    "captum": {"techniques.attributions"},
}
# These are read by the Snakefile in every job, or build pages: torch would cost seconds.
WITHOUT_TORCH = [name for name in MODULES if name.split(".")[0] in ("asked", "results", "atlas")]
WITHOUT_TORCH += ["provenance", "job", "lease", "folder", "hooks", "pictures.images", "pictures.crops"]
WITHOUT_TORCH += [f"techniques.{name}" for name in ("evidence", "table", "alike")]

# Modules of techniques that belong to no rule, the highest first.
SHARED = ("evidence", "attributions", "refusals", "sketches", "agreement", "twins")
# From the bottom up; a module may import from its own row and the rows above it.
ROWS = [
    {"errors"},
    {"provenance", "results.columns", "results.evidence", "asked.censuses", "lease", "folder", "hooks"},
    {"results.contents"},
    {
        "asked.as_json",
        "asked.configfiles",
        "asked.keys",
        "asked.kinds",
        "asked.options",
        "asked.places",
        "asked.built_in",
        "asked.recipes",
        "asked.terms",
    },
    {
        "network.checkpoints",
        "network.weights",
        "network.fields",
        "network.layouts",
        "network.stages",
        "network.memory",
        "network.classes",
        "network.data",
        "network.onednn",
    },
    {"network.eager"},
    {"pictures.health", "pictures.images", "pictures.colours"},
    {"pictures.crops"},
    {"results.layout"},
    {"results.hdf5"},
    {
        "results.activation_files",
        "results.evidence_files",
        "results.named_files",
        "results.picture_files",
        "results.saliency_files",
    },
    {"asked.amounts", "asked.sheets", "results.store"},
    {"results.part"},
    {"results.looks"},
    {"network.record", "network.receptive", "network.shapes"},
    {"pictures.transforms", "pictures.objectives"},
    {"asked.listed", "asked.sections"},
    {"asked.settings"},
    {"asked.sides", "asked.costs"},
    {"asked.cuts"},
    {"asked.aims", "asked.loads", "asked.reductions", "asked.selection"},
    {"asked.shards", "asked.survey", "asked.precision", "job"},
    {"asked.targets"},
    {"asked.plan"},
    {"asked.outputs", "asked.report", "asked.chosen"},
    {"results.progress", "results.inventory"},
    {"results.checks"},
    {"__main__"},
    {"asked.planned", "asked.signed"},
    {"asked.told"},
    {"asked.sweep"},
    {"asked.run", "network.models"},
    {"network.labels", "network.planes"},
    {"pictures.priors"},
    {"network.gradients", "network.trial"},
    {"network.convolution"},
    {"network.sums"},
    {"network.photographs", "network.streamline", "network.census", "pictures.parameters", "pictures.views"},
    {
        "network.inspection",
        "network.precision",
        "network.effective",
        "pictures.leaks",
        "pictures.scores",
        "pictures.steps",
    },
    {"pictures.climb", "pictures.octaves", "pictures.watch", "pictures.ascent"},
    {f"techniques.{name}" for name in SHARED[1:]},
    {"techniques.evidence"},
    {name for name in MODULES if name.startswith("techniques.")} - {f"techniques.{name}" for name in SHARED},
]


def libraries(module: str) -> set[str]:
    tree = ast.parse(provenance._source(module))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize(("library", "owners"), OWNERS.items(), ids=OWNERS)
def test_a_library_has_one_owner(library, owners):
    assert {module for module in MODULES if library in libraries(module)} <= owners


@pytest.mark.parametrize("module", WITHOUT_TORCH)
def test_what_the_snakefile_and_the_pages_need_is_free_of_torch(module):
    closure = provenance.closure(module)
    heavy = {name for name in closure if libraries(name) & {"torch", "timm", "captum", "torchvision"}}
    assert not heavy


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module):
    row_of = {name: index for index, row in enumerate(ROWS) for name in row}
    if module.startswith("atlas."):
        imported = {name.split(".")[0] for name in provenance.imports_of(module)}
        assert "techniques" not in imported
        assert not {"asked.sweep", "asked.told", "asked.planned"}.intersection(provenance.imports_of(module))
        return
    assert module in row_of, f"say in ROWS where {module} belongs"
    for imported in provenance.imports_of(module):
        assert row_of[imported] <= row_of[module], f"{module} imports {imported}"


def test_no_module_imports_itself_in_a_circle():
    for module in MODULES:
        below = provenance.closure(*provenance.imports_of(module))
        assert module not in below, f"{module} is imported by what it imports"
