"""The items to show side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from instructglm.core.records import Example, Prediction
from instructglm.core.words import comparable
from instructglm.evaluation.answers import accepted_choices, likeliest_choice, written_choice
from instructglm.evaluation.metrics.text import rouge_l
from instructglm.report.contents import Answer, Sample


def samples(
    examples: Sequence[Example], predictions: Mapping[str, Sequence[Prediction]], limit: int = 400
) -> tuple[Sample, ...]:
    """Items with all models' answers, at most `limit` a task, in the order of `examples`.

    Where there are more, those on which the models differ come in first.
    """
    found = {model: {one.example_id: one for one in predicted} for model, predicted in predictions.items()}
    shown = [_sample(example, [answers[example.id] for answers in found.values()]) for example in examples]
    kept = {name for task in dict.fromkeys(sample.task for sample in shown) for name in _kept(task, shown, limit)}
    return tuple(sample for sample in shown if sample.example_id in kept)


def _kept(task: str, shown: Sequence[Sample], limit: int) -> list[str]:
    """The ids of a task's items to show: a stable sort puts the disagreements in front."""
    of_task = [sample for sample in shown if sample.task == task]
    return [sample.example_id for sample in sorted(of_task, key=lambda sample: not _differ(sample))[:limit]]


def _differ(sample: Sample) -> bool:
    """Whether the models chose differently, or, where there is nothing to choose, wrote differently."""
    is_closed = any(answer.correct is not None for answer in sample.answers)
    said = {(answer.choice, answer.parsed) if is_closed else comparable(answer.text) for answer in sample.answers}
    return len(said) > 1


def _sample(example: Example, predictions: Sequence[Prediction]) -> Sample:
    return Sample(
        task=example.task,
        example_id=example.id,
        row=example.row,
        messages=example.messages,
        references=example.references,
        answers=tuple(_answer(example, prediction) for prediction in predictions),
    )


def _answer(example: Example, prediction: Prediction) -> Answer:
    if prediction.unscored is not None:
        return Answer(model=prediction.model, text=f"[not scored: {prediction.unscored}]")
    if not example.choices:
        return Answer(model=prediction.model, text=prediction.text, score=rouge_l(prediction.text, example.references))
    choice = likeliest_choice(example, prediction) if prediction.choice_logprobs else None
    parsed = written_choice(example, prediction)
    correct = (choice or parsed) in accepted_choices(example)
    return Answer(model=prediction.model, text=prediction.text, choice=choice, parsed=parsed, correct=correct)
