"""The derivative of the logarithm of the gamma function, which numpy does not have."""

from __future__ import annotations

import numpy as np

from instructglm.annotation.columns import Floats

_SHIFT = 6  # from here on the series is exact to 1e-11


def digamma(x: Floats) -> Floats:
    """psi(x) for x > 0, to 1e-11 or, where it is larger than 1, to 1e-11 of it.

    psi(x) = psi(x + 6) - sum 1 / (x + k), and its asymptotic series there.

    M. Abramowitz and I. Stegun, "Handbook of Mathematical Functions" (1964), 6.3.5 and 6.3.18.
    """
    below = sum(1.0 / (x + k) for k in range(_SHIFT))
    y = x + _SHIFT
    inverse_square = 1.0 / (y * y)
    # Coefficients B_2n / 2n of the series, by Horner's rule.
    series = inverse_square * (
        1 / 12
        - inverse_square * (1 / 120 - inverse_square * (1 / 252 - inverse_square * (1 / 240 - inverse_square / 132)))
    )
    return np.asarray(np.log(y) - 0.5 / y - series - below)
