"""What people accepted, frozen: the outputs, labels and preferences of a project at one event of its log.

`freeze.freeze` writes a snapshot, `freeze.preview` tells its numbers alone. Which outputs are in and why is decided in
`closed.py` and `open.py`; `manifest.py`, which needs no database, tells whether a snapshot is still as it was frozen.
"""
