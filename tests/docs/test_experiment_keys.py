"""docs/experiment.md names every key of the experiment file, with the default that really holds."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from instructglm.config.data import DataSettings, Limit, RatingsSource, RowSource, SourceBase, SplitSettings
from instructglm.config.distributed import Distributed
from instructglm.config.document import parse
from instructglm.config.evaluation import EvaluationSettings, OtherModel
from instructglm.config.experiment import Experiment
from instructglm.config.keys import branches, words_of
from instructglm.config.model import ModelSettings, Quantization
from instructglm.config.section import Section
from instructglm.config.training import EarlyStopping, EvalMetrics, TrainingSettings
from instructglm.config.tuning import FreezeTuning, FullTuning, LoraTuning, PrefixTuning

PAGE = Path(__file__).resolve().parents[2] / "docs" / "experiment.md"
TABLES: dict[str, type[Section]] = {
    "Top": Experiment,
    "model": ModelSettings,
    "model.quantization_config": Quantization,
    "data": DataSettings,
    "data.sources, every source": SourceBase,
    "data.sources, rows": RowSource,
    "data.sources, ratings": RatingsSource,
    "data.sources, limit": Limit,
    "data.split": SplitSettings,
    "tuning, lora": LoraTuning,
    "tuning, full": FullTuning,
    "tuning, freeze": FreezeTuning,
    "tuning, prefix": PrefixTuning,
    "training": TrainingSettings,
    "training.eval_metrics": EvalMetrics,
    "training.early_stopping": EarlyStopping,
    "training.distributed": Distributed,
    "evaluation": EvaluationSettings,
    "evaluation.models, others": OtherModel,
}
ROW = re.compile(r"^\| `(\w+)` \| (.*?) \| (.*) \|$", re.MULTILINE)


def documented() -> dict[str, dict[str, tuple[str, str]]]:
    """Heading -> key -> (default, description), for the headings that have a table."""
    headed = re.split(r"^##+ (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    pages = zip(headed[::2], headed[1::2], strict=True)
    rows = {heading: {key: (default, text) for key, default, text in ROW.findall(body)} for heading, body in pages}
    return {heading: keys for heading, keys in rows.items() if keys}


def own_fields(section: type[Section]) -> set[str]:
    shared = set(SourceBase.model_fields) if section in (RowSource, RatingsSource) else set()
    return set(section.model_fields) - shared


def sections(section: type[Section]) -> Iterator[type[Section]]:
    """A section and all that may stand inside it."""
    yield section
    for field in section.model_fields.values():
        for inner in branches(field).values():
            yield from sections(inner)


def real_default(section: type[Section], key: str) -> object:
    """The default as the page has to show it."""
    field = section.model_fields[key]
    if field.is_required():
        return "*needed*"
    return "*below*" if isinstance(field.default, Section) else field.default


def test_every_section_has_a_table() -> None:
    assert set(documented()) == set(TABLES)
    assert set(sections(Experiment)) | {SourceBase} == set(TABLES.values())


@pytest.mark.parametrize("heading", TABLES)
def test_every_key_has_a_row_and_every_row_a_key(heading: str) -> None:
    assert set(documented()[heading]) == own_fields(TABLES[heading])


@pytest.mark.parametrize("heading", TABLES)
def test_every_default_is_the_real_one(heading: str) -> None:
    for key, (shown, _) in documented()[heading].items():
        found = parse(shown.strip("`"), "docs").value if shown.startswith("`") else shown
        assert found == real_default(TABLES[heading], key), f"{heading}: {key}: the page says {shown}"


@pytest.mark.parametrize("heading", TABLES)
def test_every_word_that_a_key_takes_is_told(heading: str) -> None:
    for key, (default, text) in documented()[heading].items():
        untold = [word for word in words_of(TABLES[heading], key) if f"`{word}`" not in default + text]
        assert untold == [], f"{heading}: {key}"
