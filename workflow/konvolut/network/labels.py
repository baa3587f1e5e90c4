"""Tells the classes of models by their architecture alone:  python -m konvolut.network.labels < models.json

For processes that must not import torch. In: a JSON list of models (as_json.to_json). Out: class names by the model's
key, as JSON; or a sentence and status 1.
"""

import json
import sys

from konvolut.asked import as_json
from konvolut.asked.settings import ModelSource
from konvolut.errors import UserError
from konvolut.network import models


def main() -> int:
    """The exit status: 1 where timm does not build one of the models."""
    sources = [as_json.from_json(ModelSource, text) for text in json.load(sys.stdin)]
    try:
        print(json.dumps({source.key: models.class_names(source) for source in sources}))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
