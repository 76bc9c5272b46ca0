"""Figures of projects, computed beside the pages: once for a state of the log, one at a time, the last ones kept."""

from __future__ import annotations

import traceback
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Lock, Thread
from typing import NamedTuple

from fastapi import Request

from instructglm.annotation.overview import Standing, last_event, standing_of
from instructglm.annotation.store import Store

_MOST_KEPT = 8  # projects; the figures of a million judgements hold some 100 MB
_PATIENCE_S = 0.7  # within which most projects have their figures

Compute = Callable[[Store, int], Standing]


class Reply(NamedTuple):
    """The newest figures there are, None: there are none yet; and whether more was said since they were computed."""

    standing: Standing | None
    is_current: bool
    has_failed: bool = False


@dataclass
class _Job:
    event: int
    done: Event


class Standings:
    """The figures of a store's projects; threads may share it."""

    def __init__(self, store: Store, compute: Compute = standing_of) -> None:
        self._store, self._compute = store, compute
        self._lock, self._turn = Lock(), Lock()
        self._kept: OrderedDict[int, Standing] = OrderedDict()
        self._jobs: dict[int, _Job] = {}
        self._failed: dict[int, int] = {}  # project -> the event at which its figures could not be computed

    def ask(self, project: int, wait_s: float = _PATIENCE_S) -> Reply:
        """The figures as they are, after a short wait for them to be up to date.

        What cannot be waited for is computed on, and there when it is asked for again.
        """
        event = last_event(self._store, project)
        with self._lock:
            if (known := self._known(project, event)) is not None:
                return known
            job = self._jobs.get(project) or self._start(project, event)
        job.done.wait(wait_s)
        with self._lock:
            return self._known(project, event) or Reply(self._of(project), is_current=False)

    def _known(self, project: int, event: int) -> Reply | None:
        """A reply that needs no more work; a failure is told once, and then tried again."""
        kept = self._of(project)
        if kept is not None and kept.overview.event >= event:
            return Reply(kept, is_current=True)
        if self._failed.get(project) == event:
            del self._failed[project]
            return Reply(kept, is_current=False, has_failed=True)
        return None

    def _of(self, project: int) -> Standing | None:
        if project in self._kept:
            self._kept.move_to_end(project)
        return self._kept.get(project)

    def _start(self, project: int, event: int) -> _Job:
        job = self._jobs[project] = _Job(event, Event())
        # A daemon: a server that is asked to end waits for no figures.
        Thread(target=self._run, args=(project, job), name=f"figures of project {project}", daemon=True).start()
        return job

    def _run(self, project: int, job: _Job) -> None:
        try:
            with self._turn:
                found = self._compute(self._store, project)
            with self._lock:
                self._kept[project] = found
                self._kept.move_to_end(project)
                while len(self._kept) > _MOST_KEPT:
                    self._kept.popitem(last=False)
        except Exception:
            with self._lock:
                self._failed[project] = job.event
            traceback.print_exc()  # in the server's own output; the page says that it is there
        finally:
            with self._lock:
                del self._jobs[project]
            job.done.set()


def standings_of(request: Request) -> Standings:
    """The figures that the application keeps."""
    kept: Standings = request.app.state.standings
    return kept
