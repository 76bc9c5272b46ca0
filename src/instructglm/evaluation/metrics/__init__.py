"""The metrics by name. A new one is a function in a family's file and one entry here."""

from __future__ import annotations

from instructglm.evaluation.metrics import classification as c
from instructglm.evaluation.metrics import text as t
from instructglm.evaluation.metrics.metric import Metric

METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        "accuracy",
        "Share of items answered right: the most likely choice of a closed task, an exact match on an open one.",
        c.accuracy,
        t.exact_match,
    ),
    "macro_precision": Metric(
        "macro precision",
        "Closed: of the items predicted as a class, the share that is of it, averaged over the classes that occur; "
        "open: share of the answer's tokens that stand in the best reference, averaged over items.",
        c.macro_precision,
        t.overlap_precision,
    ),
    "macro_recall": Metric(
        "macro recall",
        "Closed: of the items of a class, the share predicted as it, averaged over the classes that occur; "
        "open: share of the best reference's tokens that stand in the answer, averaged over items.",
        c.macro_recall,
        t.overlap_recall,
    ),
    "macro_f1": Metric(
        "macro F1",
        "Closed: harmonic mean of a class's precision and recall, averaged over the classes that occur; "
        "open: harmonic mean of token precision and recall against the best reference, averaged over items.",
        c.macro_f1,
        t.overlap_f1,
    ),
    "micro_precision": Metric(
        "micro precision", "Of the answers that could be read, the share that is right.", c.micro_precision
    ),
    "micro_recall": Metric("micro recall", "Of all items, the share answered right.", c.micro_recall),
    "micro_f1": Metric("micro F1", "Harmonic mean of micro precision and micro recall.", c.micro_f1),
    "weighted_precision": Metric(
        "weighted precision",
        "Precision of the classes, averaged with their numbers of references as weights.",
        c.weighted_precision,
    ),
    "weighted_recall": Metric(
        "weighted recall",
        "Recall of the classes, averaged with their numbers of references as weights.",
        c.weighted_recall,
    ),
    "weighted_f1": Metric(
        "weighted F1", "F1 of the classes, averaged with their numbers of references as weights.", c.weighted_f1
    ),
    "exact_match": Metric(
        "exact match",
        "Share of answers equal to a reference but for width, case, blanks and outer punctuation.",
        of_text=t.exact_match,
    ),
    "rouge_l": Metric(
        "ROUGE-L",
        "F1 of the longest common subsequence of tokens with the best reference; Chinese by character.",
        of_text=t.rouge_l,
    ),
    "chrf": Metric("chrF", "F2 of character n-grams up to 6 with the best reference, 0 to 1.", of_text=t.chrf),
}
