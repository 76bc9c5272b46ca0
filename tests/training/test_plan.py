"""Plans: every prompt once an epoch, no step over its budget, and each step known from the seed and its number."""

from __future__ import annotations

import json
import math
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructglm.config.training import TrainingSettings
from instructglm.core.errors import RunError
from instructglm.core.records import Message
from instructglm.data.templates import template_for
from instructglm.training import plan as plans
from instructglm.training.plan import TokenPlan, make_plan

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=300)
BUDGETS = st.integers(60, 400)
EPOCHS = st.sampled_from([0.3, 1.0, 2.0, 2.5])


def plan(lengths, budget, *, seed=1, **settings) -> TokenPlan:
    made = make_plan(list(lengths), TrainingSettings(tokens_per_batch=budget, **settings), seed)
    assert isinstance(made, TokenPlan)
    return made


def steps(plan) -> list[list[int]]:
    return [plan.indices(step) for step in range(plan.num_steps)]


def by_epoch(plan) -> list[list[list[int]]]:
    """The steps of each epoch, told apart by `epoch`."""
    found: dict[int, list[list[int]]] = {}
    for step in range(plan.num_steps):
        found.setdefault(math.floor(plan.epoch(step)), []).append(plan.indices(step))
    return list(found.values())


def lengths_of(name: str, count: int = 20_000, budget: int = 1000) -> np.ndarray:
    generator = np.random.default_rng(0)
    return {
        "like instructions": generator.lognormal(math.log(0.1 * budget), 0.8, count).clip(8, 0.5 * budget),
        "as long as the budget, some": generator.lognormal(math.log(0.2 * budget), 0.8, count).clip(8, budget),
        "two kinds": np.where(generator.random(count) < 0.5, 0.01 * budget, 0.2 * budget),
        "short": np.full(count, 3),
        "all of them a third": np.full(count, budget // 3),
    }[name].astype(np.int32)


@given(LENGTHS, BUDGETS, st.integers(0, 9))
def test_each_epoch_reads_every_prompt_once_and_no_step_more_than_its_budget(lengths, budget, seed):
    made = plan(lengths, budget, seed=seed, num_train_epochs=3)
    epochs = by_epoch(made)
    assert len(epochs) == 3
    for one in epochs:
        assert sorted(index for step in one for index in step) == list(range(len(lengths)))
    for step in steps(made):
        assert 1 <= sum(lengths[index] for index in step) <= budget


@given(LENGTHS, BUDGETS, EPOCHS, st.randoms())
def test_a_step_depends_on_nothing_but_the_seed_and_its_number(lengths, budget, epochs, shuffler):
    expected = steps(plan(lengths, budget, num_train_epochs=epochs))
    asked = list(enumerate(expected))
    shuffler.shuffle(asked)
    again = plan(lengths, budget, num_train_epochs=epochs)
    assert again.num_steps == len(expected)
    for step, indices in asked:
        assert again.indices(step) == indices
    for step, indices in asked[:3]:  # as a run that goes on from there
        assert plan(lengths, budget, num_train_epochs=epochs).indices(step) == indices


@given(LENGTHS, BUDGETS, EPOCHS)
def test_epochs_are_counted_in_steps_that_may_differ_from_one_to_the_next(lengths, budget, epochs):
    made = plan(lengths, budget, num_train_epochs=epochs)
    counted = [made.epoch(step) for step in range(made.num_steps + 1)]
    assert counted[0] == 0
    assert all(before < after for before, after in pairwise(counted))
    assert counted[-1] >= epochs
    assert made.epoch(made.num_steps - 1) < epochs
    if epochs == int(epochs):
        assert counted[-1] == epochs


@given(LENGTHS, BUDGETS, st.integers(1, 30))
def test_max_steps_ends_a_run_and_changes_no_step_of_it(lengths, budget, most):
    whole = steps(plan(lengths, budget, num_train_epochs=2.5))
    short = plan(lengths, budget, num_train_epochs=2.5, max_steps=most)
    assert steps(short) == whole[:most]


def test_max_steps_spares_the_epochs_after_it():
    made = plan([5] * 100, 50, num_train_epochs=1e9, max_steps=25)
    assert (made.num_steps, made.epoch(25)) == (25, 2.5)


def pairs(steps) -> set[tuple[int, int]]:
    """Prompts that are read in one step."""
    return {pair for step in steps for pair in combinations(sorted(step), 2)}


@pytest.mark.parametrize("count", [150, 2000])
def test_prompts_that_met_meet_again_by_chance_only(count):
    """In another epoch or by another seed, in a small dataset too."""
    lengths = lengths_of("like instructions", count)
    first, second = map(pairs, by_epoch(plan(lengths, 1000, num_train_epochs=2)))
    other = pairs(steps(plan(lengths, 1000, seed=2, num_train_epochs=1)))
    by_chance = len(first) * len(second) / math.comb(count, 2)
    for again in (first & second, first & other):
        assert len(again) < by_chance + 4 * math.sqrt(by_chance)


@pytest.mark.parametrize(
    "name", ["like instructions", "as long as the budget, some", "two kinds", "short", "all of them a third"]
)
def test_steps_are_full(name):
    lengths = lengths_of(name)
    made = plan(lengths, 1000, num_train_epochs=1)
    held = np.array([lengths[step].sum() for step in steps(made)])
    assert held.mean() / 1000 == pytest.approx(made.efficiency)
    assert made.efficiency > 0.97
    assert held.min() > 400  # nor is there a step of what was left
    assert made.note() is None


@pytest.mark.parametrize("budget", [512, 1024, 4096, 16384])
def test_steps_are_full_with_the_lengths_of_real_instructions(shared_data, embedded_tokenizer, budget):
    rows = (shared_data / "instructions" / "dolly_3k.jsonl").read_text(encoding="utf-8").splitlines()
    read = [json.loads(row) for row in rows]
    template = template_for(embedded_tokenizer)
    asked = [template.context([Message(role="user", content=row["instruction"] + row["input"])]) for row in read]
    answered = [template.output_ids(row["output"]) for row in read]
    lengths = [len(one.input_ids) + len(ids) for one, ids in zip(asked, answered, strict=True)]
    fitting = [length for length in lengths if length <= 512]
    assert len(fitting) > 2000
    made = plan(fitting, budget, num_train_epochs=2)
    fewest = math.ceil(sum(fitting) / budget)
    assert all(len(steps) <= math.ceil(fewest / 0.97) for steps in by_epoch(made))


def test_a_budget_that_no_packing_can_fill_is_told():
    made = plan([600] * 1000, 1000, num_train_epochs=1)
    assert made.num_steps == 1000  # the fewest there are: two of them never go together
    assert made.note() == (
        "steps hold 60% of training.tokens_per_batch (1000): there are 600000 tokens in an epoch, and the longest "
        "prompt has 600 with all its outputs"
    )
    assert plan([334] * 1000, 1000, num_train_epochs=1).num_steps == 500


def test_every_step_reads_long_and_short():
    """Of a window, no step gathers the long ones: counts differ no more than by chance, rather less."""
    lengths = lengths_of("like instructions")
    is_long = lengths > np.quantile(lengths, 0.9)
    counts = np.array([is_long[step].sum() for step in steps(plan(lengths, 4000, num_train_epochs=1))])
    by_chance = math.sqrt(counts.mean() * 0.9)
    assert counts.std() < by_chance
    assert counts.min() >= 1


def test_length_says_little_of_when_in_the_epoch_a_prompt_is_read():
    lengths = lengths_of("like instructions")
    when = np.empty(len(lengths))
    for number, step in enumerate(steps(plan(lengths, 1000, num_train_epochs=1))):
        when[step] = number
    assert abs(np.corrcoef(when, lengths)[0, 1]) < 0.03


def test_a_prompt_over_the_budget_is_refused():
    with pytest.raises(RunError, match=r"prompt 1 has 101 tokens with all its outputs; .*tokens_per_batch is 100"):
        plan([7, 101, 5], 100)


def test_prompts_by_number_are_read_as_ever():
    made = make_plan([9] * 10, TrainingSettings(batch_size=4, num_train_epochs=1.5), 3)
    assert (made.num_steps, made.epoch(3), made.note()) == (5, 1.0, None)
    assert [len(made.indices(step)) for step in range(5)] == [4, 4, 2, 4, 4]
    assert sorted(index for step in range(3) for index in made.indices(step)) == list(range(10))


def test_an_epoch_is_shuffled_once_and_another_way_than_the_one_before(monkeypatch):
    drawn = []
    order = plans._order
    monkeypatch.setattr(plans, "_order", lambda seed, epoch: drawn.append(epoch) or order(seed, epoch))
    plans._permutation.cache_clear()
    made = make_plan([9] * 10, TrainingSettings(batch_size=2, num_train_epochs=2), 3)
    first, second = ([index for step in steps(made)[part] for index in step] for part in (slice(5), slice(5, 10)))
    assert drawn == [0, 1, 0, 1]  # all steps were asked for twice, in their order
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert make_plan([9] * 10, TrainingSettings(batch_size=10), 4).indices(0) != made.indices(0)
