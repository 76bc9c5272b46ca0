"""Reports to draw, from small to awkward, all from one builder."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from instructglm.core.ledger import LedgerEntry
from instructglm.core.records import ComparisonRow, Message, MetricRow
from instructglm.report.contents import (
    AgreementSummary,
    Answer,
    Confusion,
    CurvePoint,
    DataCard,
    Environment,
    Gap,
    MetricCurve,
    Report,
    Sample,
    SourceCard,
    SplitItem,
    TaskCard,
    TrainingCard,
)
from instructglm.report.estimate import Estimate, MemoryEstimate, Workload

BASE_SCORE, TUNED_SCORE = 0.641, 0.883
HOSTILE = (
    '<script>alert("x")</script>',
    "</style></script><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }} {% raw %} &amp;",
    '" onmouseover="alert(1)',
    "see http://example.org/a?b=c&d=e and //example.org/x",
    "\u202egnp.exe\u202c \u0000\u0007",
    "中文内容，<b>粗体</b>",
    "שלום \u200fעולם",
    "a\n\n\nb",
    "'quoted' `ticks` | pipe",
)
TEXTS = (
    "a gorgeous, witty, seductive movie.",
    "it's so downbeat and nearly humorless that it becomes a chore to sit through.",
    "The battery lasts two days and the screen is bright enough outdoors.",
    "I sent it back after a week.",
    "Not sure if I'd recommend this lol :) but the soundtrack!!",
    "Parliament met again on Tuesday to discuss the budget.",
)


def metric(model: str, task: str, name: str, value: float, n: int = 302, num_unparsed: int = 0) -> MetricRow:
    half = 1.96 * math.sqrt(max(value * (1 - value), 0.0004) / n) if 0 <= value <= 1 else 0.5
    return MetricRow(
        model=model,
        task=task,
        metric=name,
        value=value,
        low=value - half,
        high=min(value + half, 1.0) if value <= 1 else value + half,
        n=n,
        num_unparsed=num_unparsed,
    )


def comparison(
    task: str, name: str, difference: float, half: float, p: float, a: str = "base", b: str = "tuned"
) -> ComparisonRow:
    return ComparisonRow(
        task=task,
        metric=name,
        a=a,
        b=b,
        difference=difference,
        low=difference - half,
        high=difference + half,
        p_value=p,
        n=302,
        test="paired permutation, 2000 draws",
    )


def closed_metrics(model: str, task: str, level: float, labels: tuple[str, ...], num_unparsed: int) -> list[MetricRow]:
    names = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "micro_f1", "weighted_f1")
    rows = [metric(model, task, name, level - 0.004 * at) for at, name in enumerate(names)]
    rows += [
        metric(model, task, name, level - 0.05, num_unparsed=num_unparsed)
        for name in ("generated_accuracy", "generated_macro_f1")
    ]
    return rows + [
        metric(model, task, f"{name}[{label}]", level - 0.02)
        for label in labels
        for name in ("precision", "recall", "f1")
    ]


def closed_comparisons(task: str, difference: float, half: float, p: float, b: str = "tuned") -> list[ComparisonRow]:
    names = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "generated_accuracy", "generated_macro_f1")
    return [comparison(task, name, difference - 0.005 * at, half, p, b=b) for at, name in enumerate(names)]


def open_metrics(model: str, task: str, level: float) -> list[MetricRow]:
    names = ("accuracy", "macro_precision", "macro_recall", "macro_f1", "exact_match", "rouge_l", "chrf")
    return [metric(model, task, name, max(0.01, level - 0.02 * at), n=120) for at, name in enumerate(names)]


def confusion(model: str, task: str, labels: tuple[str, ...], level: float, scoring: str = "likelihood") -> Confusion:
    draw = random.Random(f"{model}{task}{scoring}")
    columns = (*labels, "unparsed") if scoring == "generation" else labels
    counts = tuple(
        tuple(
            int(150 * level) if row == column else draw.randrange(0, 9 if len(labels) > 3 else 40) for column in columns
        )
        for row in labels
    )
    return Confusion(task=task, model=model, scoring=scoring, rows=labels, columns=columns, counts=counts)


def closed_sample(index: int, task: str, models: tuple[str, ...], labels: tuple[str, ...], text: str) -> Sample:
    draw = random.Random(f"{task}{index}")
    reference = labels[index % len(labels)]
    answers = []
    for at, model in enumerate(models):
        right = draw.random() < (0.64, 0.88, 0.75)[min(at, 2)]
        choice = reference if right else labels[(index + 1) % len(labels)]
        readable = draw.random() > 0.06
        answers.append(
            Answer(
                model=model,
                text=choice.capitalize() + "." if readable else "I would say that it depends.",
                choice=choice,
                parsed=choice if readable else None,
                correct=right,
            )
        )
    prompt = f"Is the feeling of this text {' or '.join(labels[:3])}?\n\n{text}"
    return Sample(
        task=task,
        example_id=f"{task}-{index}",
        row=f"raw/{task}_GroundTruth.txt:{index + 1}",
        messages=(Message(role="user", content=prompt),),
        references=(reference,),
        answers=tuple(answers),
    )


def open_sample(index: int, task: str, models: tuple[str, ...]) -> Sample:
    messages = (Message(role="system", content="You are a patient tutor."), Message(role="user", content="What is AI?"))
    references = (
        "Artificial Intelligence is the branch of engineering and science devoted to constructing machines that think.",
        "AI is the field of science which concerns itself with building machines that replicate the mind.",
    )
    answers = tuple(
        Answer(
            model=model,
            text="AI is the science of building machines that think. " * (1 + at),
            score=0.2 + 0.13 * at + 0.01 * (index % 7),
        )
        for at, model in enumerate(models)
    )
    return Sample(
        task=task,
        example_id=f"o{index}",
        row=f"raw/ai.yml[{index}]",
        messages=messages,
        references=references,
        answers=answers,
    )


def training_card(num_steps: int = 120) -> TrainingCard:
    draw = random.Random(3)
    train = [
        CurvePoint(step=step, loss=0.28 + 2.2 * math.exp(-step / 14) + draw.random() * 0.18)
        for step in range(1, num_steps + 1)
    ]
    validation = [
        CurvePoint(step=step, loss=0.36 + 2.0 * math.exp(-step / 15) + max(0, step - 84) * 0.002)
        for step in range(0, num_steps + 1, 12)
    ]
    return TrainingCard(
        method="lora",
        num_trainable_parameters=2_442_240,
        num_parameters=136_957_248,
        num_steps=num_steps,
        num_epochs=3,
        num_train_tokens=5_812,
        num_input_tokens=148_220,
        seconds=252.4,
        train_curve=tuple(train),
        validation_curve=tuple(validation),
        best_step=84,
        stopped_early=True,
        resumed_at=(40,),
        verdict="Validation loss was lowest at step 84 and has risen since: training went on longer than it helped, "
        "and the checkpoint of step 84 was used.",
        settings={
            "learning_rate": 2e-4,
            "batch_size": 16,
            "lr_scheduler_type": "cosine",
            "early_stopping": {"patience": 3},
        },
        gap=Gap(step=84, train_loss=0.371, validation_loss=0.367, num_steps=12),
        metric_curves=(
            MetricCurve(metric="accuracy", num_items=100, steps=(0, 60, 120), values=(0.62, 0.81, 0.84)),
            MetricCurve(metric="macro_f1", num_items=90, steps=(0, 60, 120), values=(0.55, 0.8, 0.8)),
        ),
    )


def estimate() -> Estimate:
    """Of the run of `training_card`."""
    return Estimate(
        method="lora",
        dtype="bfloat16",
        num_trainable_parameters=2_442_240,
        num_parameters=136_957_248,
        packed=True,
        num_rows=1,
        num_row_tokens=4096,
        memory=MemoryEstimate(
            weights=278_799_232,
            gradients=9_768_960,
            optimizer=19_537_920,
            activations=4_319_299_585,
            logits=201_160_015,
            backward=0,
            step=4_828_565_712,
            validation=998_337_152,
            loading=547_828_992,
            total=4_828_565_712,
        ),
        device="cpu",
        device_memory=25_276_518_400,
        device_memory_available=23_258_488_832,
        workload=Workload(
            num_prompts=800,
            num_sequences=812,
            num_input_tokens_per_epoch=50_000,
            num_trained_tokens_per_epoch=2_000,
            num_steps_per_epoch=50,
            num_steps=150,
            num_input_tokens=150_000,
            num_trained_tokens=6_000,
        ),
        missing={},
    )


def data_card(tasks: tuple[TaskCard, ...], ledger: tuple[LedgerEntry, ...], agreement: bool) -> DataCard:
    counts: dict[str, int] = {}
    for entry in ledger:
        counts[entry.reason] = counts.get(entry.reason, 0) + 1
    sources = tuple(
        SourceCard(
            path=f"pypi:vaderSentiment==3.3.2/additional_resources/{card.task}_GroundTruth.txt",
            sha256=f"{at:02x}" * 32,
            format="ratings",
            task=card.task,
            num_rows=10_605,
        )
        for at, card in enumerate(tasks, 171)
    )
    return DataCard(
        name="feelings",
        hash="3f9c1d20ab77",
        sources=sources,
        tasks=tasks,
        ledger_counts=counts,
        ledger=ledger,
        agreement=(agreement_summary(),) if agreement else (),
    )


def agreement_summary() -> AgreementSummary:
    draw = random.Random(5)
    items = tuple(
        SplitItem(
            row=f"raw/movies_anonDataRatings.txt:{at}",
            text=text,
            outcome=outcome,
            ratings=tuple(float(draw.choice((-4, -3, -2, -1, 0, 2, 3, 4))) for _ in range(20)),
        )
        for at, (text, outcome) in enumerate(zip(TEXTS, ("positive", "left out", "negative") * 2, strict=True))
    )
    histogram = {str(value): 900 + 4000 * (4 - abs(abs(value) - 2)) for value in range(-4, 5)}
    return AgreementSummary(
        task="movies",
        num_items=10_605,
        num_ratings=212_100,
        num_annotators_min=20,
        num_annotators_max=20,
        alpha=0.512,
        alpha_low=0.498,
        alpha_high=0.527,
        level="interval",
        note="",
        rating_histogram=histogram,
        split_items=items,
    )


def ledger_entries(number: int) -> tuple[LedgerEntry, ...]:
    entries = []
    for at in range(1, number + 1):
        file = f"raw/{('movies', 'products', 'tweets')[at % 3]}_GroundTruth.txt"
        if at % 5 == 0:
            entries.append(
                LedgerEntry(
                    row=f"{file}:{at}", reason="raters_split", detail=f"mean rating {at % 97 / 100}", task="movies"
                )
            )
        elif at % 11 == 0:
            entries.append(
                LedgerEntry(
                    row=f"raw/more.json[{at}]",
                    reason="overlong",
                    action="cut",
                    num_tokens=at % 50,
                    detail=f"{512 + at % 50} tokens, limit 512",
                )
            )
        else:
            entries.append(
                LedgerEntry(row=f"{file}:{at}", reason="over_limit", detail="limit train: 800", task="movies")
            )
    return tuple(entries)


def task_card(task: str, choices: tuple[str, ...]) -> TaskCard:
    sizes = {"train": 800, "validation": 100, "test": 302}
    answers = (
        {split: {choice: size // len(choices) for choice in choices} for split, size in sizes.items()}
        if choices
        else {}
    )
    return TaskCard(
        task=task,
        kind="closed" if choices else "open",
        choices=choices,
        num_examples=sizes,
        num_outputs={split: size * (1 if choices else 2) for split, size in sizes.items()},
        answers=answers,
    )


def environment() -> Environment:
    return Environment(
        command="instructglm run examples/quickstart.yaml --out quickstart",
        seed=17,
        device="cpu",
        dtype="float32",
        num_threads=2,
        packages={"torch": "2.13.0", "transformers": "5.23.0", "peft": "0.18.0"},
        python="3.11.9",
        platform="Linux-6.1-x86_64",
        git_revision="766e563",
        model="SmolLM2-135M-Instruct (embedded)",
        experiment="name: quickstart\nseed: 17\nmodel:\n  name_or_path: embedded\n",
        stage_seconds={"data": 3.2, "train": 252.4, "evaluate": 61.8, "report": 0.4},
    )


def make_report(
    *,
    labels: tuple[str, ...] = ("positive", "negative"),
    models: tuple[str, ...] = ("base", "tuned"),
    num_ledger: int = 400,
    num_samples: int = 80,
    with_open: bool = True,
    with_training: bool = True,
    with_agreement: bool = True,
    real: bool = True,
    texts: tuple[str, ...] = TEXTS,
    **changes: Any,
) -> Report:
    """A whole report. `real` is whether tuning helped on the closed task."""
    levels = dict(zip(models, (BASE_SCORE, TUNED_SCORE if real else 0.655, 0.752), strict=False))
    metrics = [
        row
        for at, model in enumerate(models)
        for row in closed_metrics(model, "movies", levels[model], labels, (0, 7, 41)[at])
    ]
    comparisons = closed_comparisons("movies", 0.243 if real else 0.014, 0.054, 0.0002 if real else 0.62)
    if len(models) > 2:
        comparisons += closed_comparisons("movies", 0.111, 0.06, 0.001, b=models[2])
    samples = [closed_sample(at, "movies", models, labels, texts[at % len(texts)]) for at in range(num_samples)]
    tasks = [task_card("movies", labels)]
    if with_open:
        metrics += [row for model in models for row in open_metrics(model, "questions", levels[model] - 0.35)]
        comparisons += [
            comparison("questions", name, 0.021, 0.03, 0.17) for name in ("rouge_l", "chrf", "macro_f1", "accuracy")
        ]
        samples += [open_sample(at, "questions", models) for at in range(num_samples // 4)]
        tasks.append(task_card("questions", ()))
    confusions = [
        confusion(model, "movies", labels, levels[model], scoring)
        for scoring in ("likelihood", "generation")
        for model in models
    ]
    report = Report(
        title="Feelings in short texts",
        metrics=tuple(metrics),
        comparisons=tuple(comparisons),
        confidence=0.95,
        headline=(
            "Tuning made a real difference: accuracy on movies rose from 64.1 % to 88.3 %."
            if real
            else "No difference shown: on movies the tuned does as well as its original, as far as 302 items tell.",
            "On questions no difference is shown; 120 items leave room for one of up to 5 points.",
        ),
        definitions={"accuracy": "The share of items answered right.", "macro_f1": "F1 of each answer, averaged."},
        data=data_card(tuple(tasks), ledger_entries(num_ledger), with_agreement),
        training=training_card() if with_training else None,
        confusions=tuple(confusions),
        samples=tuple(samples),
        environment=environment(),
    )
    return report.model_copy(update=changes)


FIFTEEN = tuple(
    f"{name} ({at})"
    for at, name in enumerate(
        (
            "anger",
            "boredom",
            "confusion",
            "disgust",
            "enthusiasm",
            "fear",
            "gratitude",
            "happiness",
            "indifference",
            "joy",
            "love",
            "neutral",
            "remorse and disappointment",
            "sadness",
            "worry",
        ),
        1,
    )
)


def hostile_report() -> Report:
    """Every text a stranger could write holds something nasty."""
    nasty = " ".join(HOSTILE)
    report = make_report(labels=(HOSTILE[0], HOSTILE[6], HOSTILE[3]), texts=HOSTILE, title=nasty, headline=(nasty,))
    entry = LedgerEntry(row=f"{HOSTILE[1]}:3", reason="malformed", detail=nasty)
    item = SplitItem(row=nasty, text=nasty, ratings=(1.0, -1.0), outcome=nasty)
    agreement = report.data.agreement[0].model_copy(
        update={"note": nasty, "split_items": (item,), "rating_histogram": {nasty: 3}}
    )
    source = SourceCard(path=nasty, sha256="0" * 64, format="auto", task=nasty, num_rows=1)
    data = report.data.model_copy(
        update={
            "ledger": (entry,),
            "ledger_counts": {"malformed": 1},
            "agreement": (agreement,),
            "sources": (source,),
            "name": nasty,
        }
    )
    place = report.environment.model_copy(update={"command": nasty, "experiment": nasty, "packages": {nasty: nasty}})
    return report.model_copy(update={"data": data, "environment": place, "definitions": {nasty: nasty}})


def estimated_card(told: Estimate, **measured: object) -> TrainingCard:
    return training_card().model_copy(update={"estimate": told, **measured})


REPORTS: dict[str, Callable[[], Report]] = {
    "ordinary": make_report,
    "estimated": lambda: make_report(
        training=estimated_card(estimate(), peak_memory=5_100_000_000, memory_measure="resident")
    ),
    "half_estimated": lambda: make_report(training=estimated_card(estimate().model_copy(update={"workload": None}))),
    "no_difference": lambda: make_report(real=False),
    "no_training": lambda: make_report(with_training=False, with_open=False, with_agreement=False),
    "three_models": lambda: make_report(models=("base", "tuned", "qwen-0.5b")),
    "fifteen_classes": lambda: make_report(labels=FIFTEEN),
    "chinese": lambda: make_report(labels=("正面", "负面", "中性"), texts=("这部电影太好看了！", "质量很差，退货了。")),
    "large_ledger": lambda: make_report(num_ledger=20_000),
    "hostile": hostile_report,
    "empty": lambda: make_report(
        with_training=False,
        metrics=(),
        comparisons=(),
        samples=(),
        confusions=(),
        headline=(),
        definitions={},
        data=DataCard(name="none", hash="0", sources=(), tasks=(), ledger_counts={}, ledger=()),
    ),
    "broken_losses": lambda: make_report(
        training=training_card().model_copy(
            update={
                "train_curve": (CurvePoint(step=1, loss=math.inf), CurvePoint(step=2, loss=1.0)),
                "validation_curve": (),
            }
        )
    ),
}


@pytest.fixture(params=REPORTS, scope="module")
def report(request: pytest.FixtureRequest) -> Report:
    """Each of the sample reports in turn."""
    return REPORTS[request.param]()


@pytest.fixture(scope="session")
def build() -> Callable[..., Report]:
    """`make_report`, for a report of one's own."""
    return make_report


@pytest.fixture(scope="session")
def named() -> dict[str, Callable[[], Report]]:
    """The sample reports by name."""
    return REPORTS
