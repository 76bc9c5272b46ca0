"""What a run says it took is what it took: nothing that was imported, or played through, before it began."""

from __future__ import annotations

import pytest

from instructglm.pipeline.run_manifest import read_run

pytestmark = pytest.mark.slow

MIB = 2**20


def test_a_run_is_not_charged_with_libraries(project) -> None:
    """They alone are over 40 MiB, in a process that imports them for this run."""
    mood = project()
    assert mood.run("train", "model.name_or_path=glm-tiny", "training.max_steps=3").returncode == 0
    (run,) = mood.out.glob("runs/*/run.json")
    card = read_run(run.parent).training
    assert card.peak_memory < card.estimate.memory.total + 25 * MIB
