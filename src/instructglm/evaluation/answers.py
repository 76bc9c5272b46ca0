"""What the models said to the items of one task, in the form that figures are made from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from instructglm.core.errors import RunError
from instructglm.core.records import Example, Prediction
from instructglm.core.words import comparable
from instructglm.evaluation.extract import extract_choice
from instructglm.evaluation.intervals import Figure, Floats
from instructglm.evaluation.metrics import METRICS, classification
from instructglm.evaluation.metrics.classification import UNPARSED

Bools = NDArray[np.bool_]
Pair = tuple[Example, Prediction]
MAX_LABELS = 64
"""Of a task whose choices differ from row to row: beyond, its labels are no classes."""
GENERATED = "generated_"
"""Prefix of the figures that are read from the written answer of a closed task."""
_GENERATED_METRICS = ("accuracy", "macro_precision", "macro_recall", "macro_f1")
_OVER_CLASSES = ("macro_", "weighted_")
_PER_CLASS: dict[str, Figure] = {
    "precision": classification.precision,
    "recall": classification.recall,
    "f1": classification.f1,
}


@dataclass(frozen=True)
class Share:
    """A figure that is a share of items: which of `among` were `hits`."""

    hits: Bools  # (N,)
    among: Bools  # (N,)


@dataclass(frozen=True)
class Answers:
    """One model's answers to the items of one task, read in one way.

    `figures` gives every metric from summed rows of `contributions`; those in
    `shares` are shares of items as well and have Wilson's interval.
    """

    example_ids: tuple[str, ...]
    groups: tuple[str, ...]
    contributions: Floats  # (N, F)
    figures: Mapping[str, Figure]
    shares: Mapping[str, Share]
    num_unparsed: int = 0
    labels: tuple[str, ...] = ()
    """Classes of the confusion matrix; empty where there is none."""
    confusion: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.int64))

    def value(self, metric: str) -> float:
        return float(self.figures[metric](self.contributions.sum(axis=0)))

    def only(self, example_ids: Collection[str]) -> Answers:
        """The same without all other items; for comparing, so without a confusion matrix."""
        keep = np.array([name in example_ids for name in self.example_ids], dtype=bool)
        return replace(
            self,
            example_ids=tuple(np.array(self.example_ids, dtype=object)[keep]),
            groups=tuple(np.array(self.groups, dtype=object)[keep]),
            contributions=self.contributions[keep],
            shares={name: Share(share.hits[keep], share.among[keep]) for name, share in self.shares.items()},
            labels=(),
        )


# --- reading one answer --------------------------------------------------------------------------------------------
def accepted_choices(example: Example) -> tuple[str, ...]:
    """The choices that are right, the first output's first.

    Raises:
        RunError: an output is not among the choices.
    """
    by_form = {comparable(choice): choice for choice in reversed(example.choices)}
    by_form |= {choice: choice for choice in example.choices}  # the very text before one of equal form
    meant = [by_form.get(text, by_form.get(comparable(text))) for text in example.references]
    unknown = [text for text, choice in zip(example.references, meant, strict=True) if choice is None]
    if unknown or not example.references:
        found = f"found {unknown[0]!r}" if unknown else "there is no output"
        raise RunError(
            f"{example.row}: output: {found}; expected one of the choices {', '.join(map(repr, example.choices))}",
            hint="Correct the row, or add the answer to the source's `choices`.",
        )
    return tuple(dict.fromkeys(choice for choice in meant if choice is not None))


def likeliest_choice(example: Example, prediction: Prediction) -> str:
    """The choice of the highest log-likelihood; the first of equals."""
    return example.choices[int(np.argmax(prediction.choice_logprobs))]


def written_choice(example: Example, prediction: Prediction) -> str | None:
    """The choice that the written answer commits to, if any."""
    return extract_choice(prediction.text, example.choices)


# --- reading a task ------------------------------------------------------------------------------------------------
def by_likelihood(pairs: Sequence[Pair], examples: Sequence[Example]) -> Answers:
    """Closed task: the likeliest choice of each item, with all classification figures."""
    names = [name for name, metric in METRICS.items() if metric.of_counts]
    return _closed(pairs, examples, [likeliest_choice(*pair) for pair in pairs], names, per_class=True)


def by_generation(pairs: Sequence[Pair], examples: Sequence[Example]) -> Answers:
    """Closed task: the choice read from each written answer; what cannot be read is wrong and counted."""
    written = [written_choice(*pair) for pair in pairs]
    answers = _closed(pairs, examples, written, _GENERATED_METRICS, per_class=False)
    parsed = np.array([choice is not None for choice in written], dtype=bool)
    shares = {GENERATED + name: share for name, share in answers.shares.items()}
    figures = {GENERATED + name: figure for name, figure in answers.figures.items()}
    if parsed.any():  # a share of nothing is no figure
        among_parsed = f"{GENERATED}accuracy_among_parsed"
        shares[among_parsed] = Share(answers.shares["accuracy"].hits, parsed)
        figures[among_parsed] = classification.micro_precision
    return replace(answers, figures=figures, shares=shares, num_unparsed=int((~parsed).sum()))


def _closed(
    pairs: Sequence[Pair],
    examples: Sequence[Example],
    chosen: Sequence[str | None],
    names: Sequence[str],
    *,
    per_class: bool,
) -> Answers:
    references = [_reference(example, choice) for (example, _), choice in zip(pairs, chosen, strict=True)]
    labels = tuple(dict.fromkeys(choice for example in examples for choice in example.choices))
    are_classes = _are_classes(labels, examples)
    if not are_classes:
        names = [name for name in names if not name.startswith(_OVER_CLASSES)]
        chosen = [_verdict(*pair) for pair in zip(references, chosen, strict=True)]
        references, labels, per_class = ["right"] * len(references), ("right", "wrong"), False
    index = {label: position for position, label in enumerate(labels)} | {None: UNPARSED}
    rows, columns = [index[label] for label in references], [index[label] for label in chosen]
    figures = {name: figure for name in names if (figure := METRICS[name].of_counts)}
    return Answers(
        example_ids=tuple(example.id for example, _ in pairs),
        groups=tuple(example.group for example, _ in pairs),
        contributions=classification.contributions(rows, columns, len(labels)),
        figures={**figures, **(_class_figures(labels) if per_class else {})},
        shares=_closed_shares(np.array(rows), np.array(columns), labels if per_class else ()),
        labels=labels if are_classes and len(labels) <= MAX_LABELS else (),
        confusion=classification.confusion(rows, columns, len(labels)),
    )


def _are_classes(labels: Sequence[str], examples: Sequence[Example]) -> bool:
    """Whether the choices mean the same from item to item, so that a mean over them means something."""
    return len(labels) <= MAX_LABELS or all(set(example.choices) == set(labels) for example in examples)


def _reference(example: Example, choice: str | None) -> str:
    accepted = accepted_choices(example)
    return choice if choice in accepted and choice is not None else accepted[0]


def _verdict(reference: str, choice: str | None) -> str | None:
    return None if choice is None else "right" if choice == reference else "wrong"


def _class_figures(labels: Sequence[str]) -> dict[str, Figure]:
    return {
        f"{name}[{label}]": partial(_of_class, figure, position)
        for name, figure in _PER_CLASS.items()
        for position, label in enumerate(labels)
    }


def _of_class(figure: Figure, position: int, sums: Floats) -> Floats:
    return np.asarray(figure(sums)[..., position])


def _closed_shares(rows: NDArray[np.int64], columns: NDArray[np.int64], labels: Sequence[str]) -> dict[str, Share]:
    right, everything = rows == columns, np.ones(len(rows), dtype=bool)
    shares = {name: Share(right, everything) for name in ("accuracy", "micro_recall", "weighted_recall")}
    shares["micro_precision"] = Share(right, columns != UNPARSED)
    for position, label in enumerate(labels):
        shares[f"precision[{label}]"] = Share(right, columns == position)
        shares[f"recall[{label}]"] = Share(right, rows == position)
    return shares


def by_text(pairs: Sequence[Pair]) -> Answers:
    """Open task: each answer against the best of its references."""
    scorers = {name: metric.of_text for name, metric in METRICS.items() if metric.of_text}
    scores = {name: _scores(scorer, pairs) for name, scorer in scorers.items()}
    everything = np.ones(len(pairs), dtype=bool)
    return Answers(
        example_ids=tuple(example.id for example, _ in pairs),
        groups=tuple(example.group for example, _ in pairs),
        contributions=np.stack([*scores.values(), everything.astype(np.float64)], axis=1),
        figures={name: partial(_column_mean, position) for position, name in enumerate(scores)},
        shares={name: Share(scores[name] == 1.0, everything) for name in ("accuracy", "exact_match")},
    )


def _scores(scorer: Callable[[str, Sequence[str]], float], pairs: Sequence[Pair]) -> Floats:
    return np.array([scorer(prediction.text, example.references) for example, prediction in pairs], dtype=np.float64)


def _column_mean(position: int, sums: Floats) -> Floats:
    return np.asarray(sums[..., position] / np.maximum(sums[..., -1], 1.0))
