"""The store of annotations: an SQLite file, or a PostgreSQL database.

    with open_store("annotations.db", create=True) as store: ...

Content only grows. Every change is an event of a log in which each link holds
the hash of the one before (`chain.py`); one writer at a time adds to it.
"""

from instructglm.annotation.store.opening import open_store
from instructglm.annotation.store.store import Store, Write

__all__ = ["Store", "Write", "open_store"]
