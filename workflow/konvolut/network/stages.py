"""Which stage a layer belongs to, and which few layers stand for a network (`layers: auto`)."""

import pandas as pd
from torch import nn

STEM, HEAD = "stem", "head"
EMPTY = dict.fromkeys(("layout", "activation", "same_as", "refused", "stage"), "")
MOST_STAGES = 8  # a network with more (ViT: every block) is shown by this many of them, evenly from first to last
ZERO = ["channels", "height", "width", "stride", "receptive_field_px", "receptive_field_start_px", "flops", "calls"]
NO = ("receptive_field_exact", "inplace", "auto")


def mark_stages(table: pd.DataFrame, module: nn.Module) -> pd.DataFrame:
    """The census with `stage` (stem, 1, 2, ..., head) and `auto`, and with empty cells filled by kind.

    auto: the last convolution of the stem, the last layer of each stage as timm's feature_info names them, the last
    convolution of the head, the classifier.
    """
    table = table.reindex(columns=[*table.columns, *({*EMPTY, *ZERO, *NO} - {*table.columns})])
    possible = table[table["refused"] == ""]
    features = _feature_rows(possible, module)
    table["stage"] = [_stage(row, features, table) for row in table.itertuples()]
    auto = {*_thinned(features), *_ends(table[table["refused"] == ""], features), *_classifier(possible, module)}
    table["auto"] = table["index"].isin(auto)
    for column in NO:
        table[column] = table[column].fillna(False).astype(bool)
    for column in ZERO:
        table[column] = table[column].fillna(0).astype("int64")
    return table.fillna(EMPTY)


def _feature_rows(possible: pd.DataFrame, module: nn.Module) -> list[int]:
    """Indices of the rows that end the stages."""
    info = getattr(module, "feature_info", None) or []
    names = [str(entry.get("module", "")) for entry in getattr(info, "info", info)]
    rows = []
    for name in names:
        inside = possible[(possible["layer"] == name) | possible["layer"].str.startswith(f"{name}.")]
        spatial = inside[inside["height"] > 0]
        exact = spatial[spatial["layer"] == name]
        chosen = exact if len(exact) else spatial
        if name and len(chosen):
            rows.append(int(chosen["index"].iloc[-1]))
    return sorted(set(rows)) or _last_per_stride(possible)


def _thinned(features: list[int]) -> list[int]:
    if len(features) <= MOST_STAGES:
        return features
    last = len(features) - 1
    return [features[round(i * last / (MOST_STAGES - 1))] for i in range(MOST_STAGES)]


def _last_per_stride(possible: pd.DataFrame) -> list[int]:
    spatial = possible[possible["height"] > 1]
    return sorted(spatial.groupby("stride")["index"].max().tolist())


def _stage(row, features: list[int], table: pd.DataFrame) -> str:
    if not row.calls > 0:
        return ""
    if not features or row.index > features[-1]:
        return HEAD
    number = next(i for i, end in enumerate(features) if row.index <= end)
    first = table["layer"][features[0]]
    is_stem = number == 0 and row.layer != first and not row.layer.startswith(f"{first}.")
    return STEM if is_stem else str(number + 1)


def _ends(possible: pd.DataFrame, features: list[int]) -> list[int]:
    """The last convolution before the first and after the last stage.

    Where the first stage is only the norm or activation of the stem's convolution (ResNet, VGG), it stands for both.
    """
    ends = []
    for stage in (STEM, HEAD):
        rows = possible[(possible["stage"] == stage) & (possible["height"] > 1) & possible["kind"].str.contains("Conv")]
        if len(rows):
            ends.append(int(rows["index"].iloc[-1]))
    if features and ends and _only_finishes(possible, features[0], ends[0]):
        ends.pop(0)
    return ends


def _only_finishes(possible: pd.DataFrame, feature: int, convolution: int) -> bool:
    """Whether a stage has no weights of its own but norms, and the shape of the convolution before it."""
    inside = possible["layer"].str.startswith(f"{possible.loc[feature, 'layer']}.")
    shape = ["channels", "height", "width"]
    same = possible.loc[convolution, shape].tolist() == possible.loc[feature, shape].tolist()
    return same and not (inside & possible["kind"].str.contains("Conv|Linear")).any()


def _classifier(possible: pd.DataFrame, module: nn.Module) -> list[int]:
    named = (getattr(module, "pretrained_cfg", None) or {}).get("classifier")
    named = [named] if isinstance(named, str) else list(named or [])
    rows = possible[possible["layer"].isin(named[:1])]  # distilled models name two heads, the class head first
    flat = possible[possible["layout"] == "bc"]
    chosen = rows if len(rows) else flat
    return [int(chosen["index"].iloc[-1])] if len(chosen) else []
