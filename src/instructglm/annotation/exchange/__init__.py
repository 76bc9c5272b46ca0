"""In and out: files of other tools and our own into a project, and a project into such files.

    import_rows(store, project, [Source("tasks.json", rows)])    # rows: places with decoded values
    for part in export(store, project, "label_studio"): ...      # bytes

A file is read into entries (`entries.py`) by its format, and written from them.
"""

from instructglm.annotation.exchange.entries import Leftover
from instructglm.annotation.exchange.exporting import Export, export
from instructglm.annotation.exchange.format import Account, Format
from instructglm.annotation.exchange.formats import FORMATS
from instructglm.annotation.exchange.importing import Source, Taken, detect, import_rows
from instructglm.annotation.exchange.rounds import imported_rounds

__all__ = [
    "FORMATS", "Account", "Export", "Format", "Leftover", "Source", "Taken", "detect", "export", "import_rows",
    "imported_rounds",
]  # fmt: skip
