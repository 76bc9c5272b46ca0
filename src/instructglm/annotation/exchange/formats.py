"""The exchange formats by name. A new one is one file here and one line below."""

from __future__ import annotations

from instructglm.annotation.exchange import alpaca, argilla, csv_table, label_studio, own
from instructglm.annotation.exchange.format import Format

FORMATS: dict[str, Format] = {
    "own": own.FORMAT,
    "alpaca": alpaca.FORMAT,
    "csv": csv_table.FORMAT,
    "label_studio": label_studio.FORMAT,
    "argilla": argilla.FORMAT,
}
