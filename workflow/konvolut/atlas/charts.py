"""Curves as points of an SVG polyline, for pages that are drawn without a script."""

from collections.abc import Sequence

import numpy as np

WIDTH, HEIGHT = 240, 60  # px of the drawing; the page scales it
POINTS = 48  # more than a line of 240 px can show


def curve_points(values: Sequence[float], low: float | None = None, high: float | None = None) -> str:
    """ "x,y x,y ..." of finite values from the lowest to the highest, or between given ends; "" for less than two."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return ""
    places = np.unique(np.linspace(0, len(values) - 1, min(POINTS, len(values))).round().astype(int))
    low = float(values.min()) if low is None else low
    high = float(values.max()) if high is None else high
    heights = HEIGHT * (1 - (values[places] - low) / ((high - low) or 1))
    return " ".join(
        f"{WIDTH * place / (len(values) - 1):.1f},{y:.1f}" for place, y in zip(places, heights, strict=True)
    )
