"""Which file each row of the plan becomes: for those who look at a results folder from outside. No torch here.

The rules have the same paths as literals; a test holds the two together.
"""

from pathlib import Path

import pandas as pd

from konvolut.asked.recipes import FROM_NOISE

RESULTS = Path("results")
PLAN = RESULTS / "plan.tsv"
PATTERNS = {
    "activations": "{model}/activations/{first}-{last}.h5",
    "channels": "{model}/channels/{layer}/{first}-{last}.h5",
    "neuron": "{model}/neuron/{layer}/{first}-{last}.h5",
    "negative": "{model}/negative/{layer}/{first}-{last}.h5",
    "diversity": "{model}/diversity/{layer}/{first}-{last}.h5",
    "maco": "{model}/maco/{layer}/{first}-{last}.h5",
    "dreams": "{model}/dreams/{layer}/{first}-{last}.h5",
    "layer_dreams": "{model}/layer_dreams/{layer}/{first}-{last}.h5",
    "accentuation": "{model}/accentuation/{layer}/{first}-{last}.h5",
    "caricature": "{model}/caricature/{layer}/{first}-{last}.h5",
    "classes": "{model}/classes/{first}-{last}.h5",
    "saliency": "{model}/saliency/{first}-{last}.h5",
    "patches": "{model}/patches/{first}-{last}.h5",
    "kernels": "{model}/kernels.h5",
    "examples": "{model}/examples.h5",
    "alike": "{model}/alike.h5",
    "trust": "{model}/trust.h5",
    "fooling": "{model}/fooling/{first}-{last}.h5",
    "inversion": "{model}/inversion/{layer}/{first}-{last}.h5",
    "atlas": "atlas/{model}/{layer}.html",
}


def module_of(technique: str) -> str:
    """The module that computes a technique, as code digests name it."""
    return f"techniques.{'channels' if technique in FROM_NOISE else technique}"


def planned_files(plan: pd.DataFrame, results: Path = RESULTS) -> list[Path]:
    """The file of each row of the plan, in its order."""
    return [results / PATTERNS[row["technique"]].format(**row) for row in plan.to_dict("records")]


def log_of(row: dict, results: Path = RESULTS) -> Path:
    """The log of one row of the plan: `{model}/{technique}/rest` is told in `logs/{technique}/{model}/rest`."""
    technique, model = row["technique"], row["model"]
    if technique == "atlas":
        return results / f"logs/atlas_layer/{model}/{row['layer']}.log"
    if technique in ("kernels", "examples", "alike", "trust"):
        return results / f"logs/{technique}/{model}.log"
    rest = PATTERNS[technique].format(**row).removeprefix(f"{model}/{technique}/").removesuffix(".h5")
    return results / f"logs/{technique}/{model}/{rest}.log"
