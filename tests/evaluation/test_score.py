import random

import pytest

from instructglm.config.evaluation import EvaluationSettings
from instructglm.core.errors import RunError
from instructglm.core.records import Example, Message, Output, Prediction
from instructglm.evaluation.samples import samples
from instructglm.evaluation.score import score

LABELS = ("positive", "negative", "neutral")
SETTINGS = EvaluationSettings(num_resamples=300)


def _example(name, outputs, choices=(), task="sentiment", group=None):
    return Example(
        id=name,
        task=task,
        messages=(Message(role="user", content=name),),
        outputs=tuple(Output(text=o) for o in outputs),
        choices=choices,
        group=group or name,
        row=f"items.jsonl:{name}",
    )


def _chosen(example, model, choice, text=None):
    logprobs = tuple(-0.1 if one == choice else -3.0 for one in example.choices)
    return Prediction(
        example_id=example.id,
        task=example.task,
        model=model,
        text=choice if text is None else text,
        choice_logprobs=logprobs,
    )


@pytest.fixture
def closed():
    chooser = random.Random(3)
    items = [_example(f"s{index}", [chooser.choice(LABELS)], LABELS) for index in range(150)]
    base = [_chosen(item, "base", chooser.choice(LABELS), text=chooser.choice([*LABELS, "no idea"])) for item in items]
    tuned = [_chosen(i, "tuned", i.references[0] if chooser.random() < 0.9 else chooser.choice(LABELS)) for i in items]
    return items, {"base": base, "tuned": tuned}


@pytest.fixture
def opened():
    items = [_example(f"q{index}", [f"answer {index}", f"回答{index}"], task="talk") for index in range(40)]
    base = [
        Prediction(example_id=i.id, task="talk", model="base", text="" if n % 4 else "answer 1")
        for n, i in enumerate(items)
    ]
    tuned = [
        Prediction(example_id=i.id, task="talk", model="tuned", text=i.references[n % 2]) for n, i in enumerate(items)
    ]
    return items, {"base": base, "tuned": tuned}


def _rows(scores, model, task):
    return {row.metric: row for row in scores.metrics if (row.model, row.task) == (model, task)}


def test_a_closed_task_has_all_its_figures_inside_their_intervals(closed):
    scores = score(*closed, SETTINGS, seed=17)
    for model in ("base", "tuned"):
        rows = _rows(scores, model, "sentiment")
        names = {f"{mean}_{part}" for mean in ("macro", "micro", "weighted") for part in ("precision", "recall", "f1")}
        names |= {f"{part}[{label}]" for part in ("precision", "recall", "f1") for label in LABELS} | {"accuracy"}
        names |= {f"generated_{part}" for part in ("accuracy", "macro_precision", "macro_recall", "macro_f1")}
        assert set(rows) == names | {"generated_accuracy_among_parsed"}
        assert all(0.0 <= row.low <= row.value <= row.high <= 1.0 for row in rows.values())
        assert rows["accuracy"].n == rows["macro_f1"].n == 150
        assert sum(rows[f"recall[{label}]"].n for label in LABELS) == 150


def test_unparsed_answers_are_counted_and_wrong(closed):
    items, predictions = closed
    rows = _rows(score(items, predictions, SETTINGS, seed=17), "base", "sentiment")
    num_unparsed = sum(prediction.text == "no idea" for prediction in predictions["base"])
    right = sum(p.text == i.references[0] for i, p in zip(items, predictions["base"], strict=True))
    assert rows["generated_accuracy"].num_unparsed == num_unparsed > 0
    assert rows["generated_accuracy"].value == pytest.approx(right / 150)
    assert rows["generated_accuracy_among_parsed"].value == pytest.approx(right / (150 - num_unparsed))
    assert rows["generated_accuracy_among_parsed"].n == 150 - num_unparsed
    assert rows["accuracy"].num_unparsed == 0


def test_the_confusion_matrices_hold_every_item(closed):
    scores = score(*closed, SETTINGS, seed=17)
    assert {(one.model, one.scoring) for one in scores.confusions} == {
        (model, scoring) for model in ("base", "tuned") for scoring in ("likelihood", "generation")
    }
    for matrix in scores.confusions:
        assert sum(map(sum, matrix.counts)) == 150
        assert matrix.columns == LABELS + (("unparsed",) if matrix.scoring == "generation" else ())


def test_a_better_model_is_called_better(closed):
    rows = {row.metric: row for row in score(*closed, SETTINGS, seed=17).comparisons}
    assert set(rows) == {"accuracy", "macro_f1", "generated_accuracy"}
    assert rows["accuracy"].test == "McNemar exact"
    assert all((row.a, row.b) == ("base", "tuned") and row.low > 0 and row.p_value < 0.05 for row in rows.values())
    assert rows["accuracy"].verdict.startswith("On sentiment, tuned is better than base: accuracy ")


def test_an_open_task_has_all_its_figures(opened):
    scores = score(*opened, SETTINGS, seed=17)
    tuned, base = _rows(scores, "tuned", "talk"), _rows(scores, "base", "talk")
    assert set(tuned) == {"accuracy", "exact_match", "macro_precision", "macro_recall", "macro_f1", "rouge_l", "chrf"}
    assert all(
        row.value == pytest.approx(1.0) and row.high == pytest.approx(1.0) and row.low < 1.0 for row in tuned.values()
    )
    assert base["accuracy"].value == base["exact_match"].value < base["rouge_l"].value
    assert {row.metric for row in scores.comparisons} == {"accuracy", "macro_f1", "rouge_l", "chrf"}


def test_equal_seeds_give_equal_scores_in_any_order_of_predictions(closed):
    items, predictions = closed
    shuffled = {model: random.Random(1).sample(found, len(found)) for model, found in predictions.items()}
    assert score(items, predictions, SETTINGS, seed=17) == score(items, shuffled, SETTINGS, seed=17)


def test_any_accepted_label_is_right():
    item = _example("x", ["negative", "neutral"], LABELS)
    rows = {
        choice: _rows(score([item], {"m": [_chosen(item, "m", choice)]}, SETTINGS, 1), "m", "sentiment")[
            "accuracy"
        ].value
        for choice in LABELS
    }
    assert rows == {"positive": 0.0, "negative": 1.0, "neutral": 1.0}


def test_choices_of_their_own_in_every_row_are_no_classes():
    items = [_example(f"r{n}", [f"right {n}"], (f"right {n}", f"wrong {n}")) for n in range(40)]
    predictions = {"m": [_chosen(item, "m", item.choices[n % 2], text="?") for n, item in enumerate(items)]}
    scores = score(items, predictions, SETTINGS, seed=1)
    rows = _rows(scores, "m", "sentiment")
    assert set(rows) == {"accuracy", "micro_precision", "micro_recall", "micro_f1", "generated_accuracy"}
    assert rows["accuracy"].value == 0.5
    assert rows["generated_accuracy"].num_unparsed == 40
    assert scores.confusions == ()


def test_a_model_without_log_likelihoods_is_scored_by_what_it_wrote(closed):
    items, predictions = closed
    written = [prediction.model_copy(update={"choice_logprobs": ()}) for prediction in predictions["tuned"]]
    scores = score(items, {"tuned": written}, SETTINGS, seed=1)
    assert all(row.metric.startswith("generated_") for row in scores.metrics)


def test_unscored_items_are_counted_apart_and_left_out_of_both(closed):
    items, predictions = closed
    gap = Prediction(example_id=items[0].id, task="sentiment", model="tuned", unscored="overlong")
    scores = score(items, {**predictions, "tuned": [gap, *predictions["tuned"][1:]]}, SETTINGS, seed=17)
    (unscored,) = scores.unscored
    assert (unscored.model, unscored.task, unscored.reason, unscored.num_items) == ("tuned", "sentiment", "overlong", 1)
    assert _rows(scores, "tuned", "sentiment")["accuracy"].n == 149
    assert _rows(scores, "base", "sentiment")["accuracy"].n == 150
    assert all(row.n == 149 and "(1 that only one answered left out)" in row.verdict for row in scores.comparisons)


def test_a_task_nobody_could_answer_has_no_figures():
    item = _example("x", ["joy"])
    gap = Prediction(example_id="x", task="sentiment", model="m", unscored="overlong")
    scores = score([item], {"m": [gap], "n": [gap]}, SETTINGS, seed=1)
    assert (scores.metrics, scores.comparisons, len(scores.unscored)) == ((), (), 2)


def test_predictions_for_other_items_are_refused_all_at_once(closed):
    items, predictions = closed
    base = predictions["base"]
    stranger = base[0].model_copy(update={"example_id": "stranger"})
    short = base[2].model_copy(update={"choice_logprobs": (0.0,)})
    nan = base[3].model_copy(update={"choice_logprobs": (float("nan"),) * 3})
    with pytest.raises(RunError) as caught:
        score(items, {"base": [stranger, base[1], base[1], short, nan, *base[4:]]}, SETTINGS, seed=1)
    for part in (
        "no prediction for 1 item(s): s0",
        "stranger",
        "several predictions for 1 item(s): s1",
        "items.jsonl:s2: base: 1 log-likelihoods for 3 choices",
        "items.jsonl:s3",
        "predict with this model again",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([_example("a", ["happy"], LABELS)], r"items.jsonl:a: output: found 'happy'; expected one of"),
        (
            [_example("a", ["positive"], LABELS), _example("b", ["x"])],
            r"items.jsonl:b: .*choices in 1 rows and none in 1",
        ),
    ],
)
def test_rows_that_do_not_make_a_task_are_named(items, message):
    predictions = [_chosen(item, "m", "positive") for item in items]
    with pytest.raises(RunError, match=message):
        score(items, {"m": predictions}, SETTINGS, seed=1)


def test_a_half_filled_set_of_log_likelihoods_is_refused(closed):
    items, predictions = closed
    base = [predictions["base"][0].model_copy(update={"choice_logprobs": ()}), *predictions["base"][1:]]
    with pytest.raises(RunError, match=r"items\.jsonl:s0: base: 1 of 150 items"):
        score(items, {"base": base}, SETTINGS, seed=1)


# --- samples -------------------------------------------------------------------------------------------------------
def test_samples_keep_the_order_and_show_all_when_they_fit(closed, opened):
    items = [*closed[0], *opened[0]]
    predictions = {model: [*closed[1][model], *opened[1][model]] for model in ("base", "tuned")}
    shown = samples(items, predictions)
    assert [one.example_id for one in shown] == [item.id for item in items]
    assert all(answer.score is None and answer.correct is not None for answer in shown[0].answers)
    assert all(answer.score is not None and answer.correct is None for answer in shown[-1].answers)


def test_disagreements_are_shown_first_when_there_is_no_room_for_all():
    items = [_example(f"s{n}", ["positive"], LABELS) for n in range(20)]
    base = [_chosen(item, "base", "positive") for item in items]
    tuned = [_chosen(item, "tuned", "negative" if n >= 17 else "positive") for n, item in enumerate(items)]
    shown = samples(items, {"base": base, "tuned": tuned}, limit=5)
    assert [one.example_id for one in shown] == ["s0", "s1", "s17", "s18", "s19"]


def test_an_item_that_was_not_scored_says_so():
    item = _example("x", ["joy"])
    (shown,) = samples([item], {"m": [Prediction(example_id="x", task="sentiment", model="m", unscored="overlong")]})
    assert shown.answers[0].text == "[not scored: overlong]"
    assert shown.answers[0].correct is shown.answers[0].score is None
