"""Numbers as a reader sees them: with their unit, and with a dash where there is none."""

from __future__ import annotations

import math

MISSING = "–"
_MINUS = "−"


def percent(value: float) -> str:
    """A share as a percentage.

    >>> percent(0.8834)
    '88.3 %'
    """
    return f"{value * 100:.1f} %" if math.isfinite(value) else MISSING


def score(value: float, low: float, high: float, *, share: bool) -> str:
    """A figure with its interval.

    >>> score(0.8834, 0.842, 0.916, share=True)
    '88.3 % [84.2, 91.6]'
    >>> score(7.25, 6.5, 8.0, share=False)
    '7.25 [6.5, 8]'
    """
    if not math.isfinite(value):
        return MISSING
    shown, scale = (percent(value), 100) if share else (f"{value:.4g}", 1)
    return shown + _interval(low, high, ".1f" if share else ".4g", scale)


def difference(value: float, low: float, high: float, *, share: bool) -> str:
    """A difference with its interval: in percentage points for shares.

    >>> difference(0.243, 0.19, 0.297, share=True)
    '+24.3 [+19.0, +29.7]'
    """
    if not math.isfinite(value):
        return MISSING
    form, scale = ("+.1f", 100) if share else ("+.4g", 1)
    return f"{_signed(value * scale, form)}{_interval(low, high, form, scale)}"


def _interval(low: float, high: float, form: str, scale: int) -> str:
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f" [{_signed(low * scale, form)}, {_signed(high * scale, form)}]"


def _signed(value: float, form: str) -> str:
    """With a true minus, and no sign on what rounds to zero."""
    shown = f"{value:{form}}"
    if not float(shown):
        return shown.lstrip("+-")
    return shown.replace("-", _MINUS)


def p_value(value: float) -> str:
    """With its relation sign, as it stands in a sentence.

    >>> p_value(0.0002), p_value(0.0312), p_value(0.4)
    ('< 0.001', '= 0.031', '= 0.40')
    """
    if not math.isfinite(value):
        return MISSING
    if value < 0.001:
        return "< 0.001"
    return f"= {value:.3f}" if value < 0.1 else f"= {value:.2f}"


def count(value: float) -> str:
    """Thousands apart.

    >>> count(134515008)
    '134,515,008'
    """
    return f"{value:,}"


def size(num_bytes: float) -> str:
    """Bytes, in the unit that fits.

    >>> size(512), size(3_400_000), size(13_200_000_000)
    ('512 B', '3.2 MiB', '12.3 GiB')
    """
    for unit, power in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if num_bytes >= 2**power:
            return f"{num_bytes / 2**power:.1f} {unit}"
    return f"{num_bytes:.0f} B"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds, as many as matter.

    >>> duration(3.24), duration(252), duration(3900)
    ('3.2 s', '4 min 12 s', '1 h 05 min')
    """
    if not math.isfinite(seconds):
        return MISSING
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
