"""How far two values are apart: 0 for equal ones, 1 for the two ends of the scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from instructglm.annotation.columns import Floats

Level = Literal["nominal", "ordinal", "interval"]
"""What the values are: names, places in an order, or numbers whose differences mean something."""

Weights = Literal["identity", "linear", "quadratic"]
"""How a disagreement counts in a kappa or AC: any as 1, by its distance on the scale, or by the distance squared."""

WEIGHTS_OF_LEVEL: Mapping[Level, Weights] = {"nominal": "identity", "ordinal": "linear", "interval": "quadratic"}


def distances(values: Floats, weights: Weights) -> Floats:
    """(V, V) for V values in rising order. Values one apart on the scale are one apart here, whatever lies between."""
    apart = np.abs(values[:, None] - values[None, :])
    if weights == "identity":
        return np.asarray(apart > 0.0, dtype=np.float64)
    share = apart / max(float(apart.max(initial=0.0)), np.finfo(float).tiny)
    return share if weights == "linear" else share**2
