"""What a model is and what layers it has: the files that everything after them is planned from."""

import dataclasses
import json
from pathlib import Path

from konvolut.asked import as_json
from konvolut.asked.settings import ModelSource
from konvolut.network import census, models

UNTRAINED = "random:0"


def inspect(model_json: str, layers: Path) -> None:
    """Write the layer census (CSV) of the architecture that `model_json` describes, whatever its weights."""
    source = dataclasses.replace(as_json.from_json(ModelSource, model_json), weights=UNTRAINED)
    census.write_census(census.census(models.build(source)), Path(layers))


def identify(model_json: str, identity: Path) -> None:
    """Write the identity (JSON) of the model that `model_json` describes, with its weights."""
    source = as_json.from_json(ModelSource, model_json)
    network = models.build(source)
    facts = identity_of(network, source)
    Path(identity).write_text(json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")


def identity_of(network: models.Network, source: ModelSource) -> dict:
    """Facts that say which network this is, for passports and the atlas."""
    return {
        "id": source.id,
        "key": source.key,
        "timm_name": source.timm_name,
        "tag": network.source.get("tag", ""),
        "weights": source.weights,
        "fitted": network.source.get("fitted", ""),
        "weights_sha256": network.weights_sha256,
        "options": models.arguments(network, source),
        "data": dataclasses.asdict(network.data),
        "parameters": sum(parameter.numel() for parameter in network.module.parameters()),
        "class_count": len(network.class_names),
        "class_names": network.class_names,
    }
