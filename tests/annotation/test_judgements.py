"""A project's agreement: each figure against the plain loop that its definition reads as."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instructglm.annotation.agreement import (
    Judgements,
    agreement_by,
    agreement_of_items,
    agreement_of_pairs,
    agreement_of_project,
    agreement_over_time,
    agreement_per_item,
    agreement_with_others,
    agreement_with_self,
    cohen_kappa,
    confusions,
    gwet_ac,
    krippendorff_alpha,
    what_to_do_next,
)

NUMBER = {"A": 0, "B": 1, "C": 2}


def rng():
    return np.random.default_rng(11)


def judged(rows, **options):
    """Judgements from rows of (item, annotator, value, domain, round)."""
    item, annotator, value, domain, round_ = zip(*rows, strict=True)
    return Judgements.of(item, annotator, value, domain=domain, round=round_, **options)


rows_of_a_project = st.lists(
    st.tuples(
        st.sampled_from(["i1", "i2", "i3", "i4", "i5"]),
        st.sampled_from(["ann", "bob", "cyd"]),
        st.sampled_from("ABC"),
        st.just(""),
        st.sampled_from([1, 2]),
    ),
    min_size=1,
    max_size=30,
)


def last_words(rows, with_round=False):
    """What each person says of each item in the end, or in each round."""
    said = {}
    for item, annotator, value, _domain, round_ in sorted(rows, key=lambda row: row[4]):  # stable: row order is time
        said[(item, annotator, round_) if with_round else (item, annotator)] = value
    return said


def by_item(said):
    found = {}
    for (item, *_rest), value in sorted(said.items()):
        found.setdefault(item, []).append(NUMBER[value])
    return found


@given(rows_of_a_project)
@settings(max_examples=60)
def test_the_whole_is_that_of_everyones_latest_word(rows):
    found = agreement_of_items(judged(rows), rng(), num_draws=10)
    ratings = list(by_item(last_words(rows)).values())
    alpha = krippendorff_alpha(ratings, "nominal", rng(), num_draws=10)
    assert (found.num_items, found.num_ratings) == (len(ratings), sum(map(len, ratings)))
    assert found.alpha.value == pytest.approx(alpha.alpha, abs=1e-9)
    used = sorted({NUMBER[row[2]] for row in rows})  # a value that was taken back could still have been chosen
    assert found.gwet_ac.value == pytest.approx(gwet_ac(ratings, rng(), values=used, num_draws=10).value, abs=1e-9)
    assert found.alpha.num_ratings == alpha.num_ratings


@given(rows_of_a_project)
@settings(max_examples=60)
def test_two_people_are_compared_where_both_judged(rows):
    said = last_words(rows)
    found = {(pair.first, pair.second): pair for pair in agreement_of_pairs(judged(rows), rng(), num_draws=10)}
    for one, other in itertools.combinations(["ann", "bob", "cyd"], 2):
        shared = [item for item, person in said if person == one and (item, other) in said]
        assert ((one, other) in found) == bool(shared)
        if shared:
            first, second = ([NUMBER[said[item, who]] for item in shared] for who in (one, other))
            kappa = cohen_kappa(first, second, rng(), num_draws=10)
            assert found[one, other].kappa.value == pytest.approx(kappa.value, abs=1e-9)
            equal = np.mean(np.equal(first, second))
            assert found[one, other].percent.value == pytest.approx(equal, abs=1e-12)
            assert found[one, other].percent.num_items == len(shared)


def test_of_many_pairs_those_with_most_in_common_can_be_asked_for():
    rows = [("a", who, "A", "", 1) for who in "xyz"] + [(item, who, "B", "", 1) for item in "bc" for who in "xz"]
    (most,) = agreement_of_pairs(judged(rows), rng(), max_pairs=1, num_draws=10)
    assert (most.first, most.second, most.kappa.num_items) == ("x", "z", 3)
    assert len(agreement_of_pairs(judged(rows), rng(), num_draws=10)) == 3


@given(rows_of_a_project)
@settings(max_examples=60)
def test_a_person_against_the_others_counts_an_item_once(rows):
    said = last_words(rows)
    found = {person.annotator: person for person in agreement_with_others(judged(rows), rng(), num_draws=10)}
    for who in ("ann", "bob", "cyd"):
        own, shares = [], []
        for item in sorted(item for item, person in said if person == who):
            others = [NUMBER[value] for (it, person), value in said.items() if it == item and person != who]
            if others:
                own.append(np.eye(3)[NUMBER[said[item, who]]])
                shares.append(np.eye(3)[others].mean(axis=0))
        assert (who in found) == bool(own)
        if own:
            equal = np.mean([a @ b for a, b in zip(own, shares, strict=True)])
            by_chance = np.mean(own, axis=0) @ np.mean(shares, axis=0)
            assert found[who].percent.value == pytest.approx(equal, abs=1e-9)
            kappa = None if by_chance > 1 - 1e-12 else (equal - by_chance) / (1 - by_chance)
            assert found[who].kappa.value == (None if kappa is None else pytest.approx(kappa, abs=1e-9))


@given(rows_of_a_project)
@settings(max_examples=60)
def test_people_are_compared_with_themselves_between_rounds(rows):
    said = last_words(rows, with_round=True)
    twice = sorted((person, item) for item, person, round_ in said if round_ == 1 and (item, person, 2) in said)
    found = agreement_with_self(judged(rows), rng(), num_draws=10)
    assert [one.annotator for one in found] == ([None] if twice else []) + sorted({person for person, _ in twice})
    if twice:
        first, second = ([NUMBER[said[item, person, n]] for person, item in twice] for n in (1, 2))
        assert found[0].percent.value == pytest.approx(np.mean(np.equal(first, second)))
        kappa = cohen_kappa(first, second, rng(), num_draws=10).value
        assert found[0].kappa.value == pytest.approx(kappa, abs=1e-9)


@given(rows_of_a_project)
@settings(max_examples=60)
def test_confusions_count_unequal_pairs(rows):
    tally = {}
    for values in by_item(last_words(rows)).values():
        for pair in itertools.combinations(values, 2):
            if len(set(pair)) == 2:
                tally[tuple(sorted(pair))] = tally.get(tuple(sorted(pair)), 0) + 1
    found = confusions(judged(rows))
    assert {(NUMBER[one.first], NUMBER[one.second]): one.num_pairs for one in found} == tally
    assert all(one.num_disagreements == sum(tally.values()) for one in found)
    assert [one.num_pairs for one in found] == sorted(tally.values(), reverse=True)
    assert len(confusions(judged(rows), 1)) <= 1


@given(rows_of_a_project, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_the_order_of_the_rows_does_not_matter_where_times_are_known(rows, shuffler):
    times = list(range(len(rows)))
    mixed = shuffler.sample(times, len(times))
    one = agreement_of_project(judged(rows, time=times), rng(), num_draws=10, num_draws_of_parts=10)
    other = judged([rows[index] for index in mixed], time=[times[index] for index in mixed])
    assert agreement_of_project(other, rng(), num_draws=10, num_draws_of_parts=10) == one


def test_a_changed_mind_is_the_one_that_counts():
    rows = [("i", "ann", "A", "", 1), ("i", "bob", "B", "", 1), ("i", "ann", "B", "", 1), ("i", "ann", "A", "", 2)]
    assert agreement_per_item(judged(rows)) == {"i": 0.0}  # in the end Ann says A again
    first, second = agreement_by(judged(rows), "round", rng(), num_draws=10)
    assert (first.name, first.percent.value) == ("1", 1.0)
    assert (second.name, second.num_ratings, second.percent.value) == ("2", 1, None)
    assert judged(rows[:3]).latest.time.tolist() == [2.0, 1.0]


def test_domains_are_measured_apart():
    rows = [(f"l{i}", who, "AB"[(i + shift) % 2], "law", 1) for i in range(6) for shift, who in enumerate("xy")]
    rows += [(f"m{i}", who, "AB"[i % 2], "medicine", 1) for i in range(6) for who in "xyz"]
    law, medicine = agreement_by(judged(rows), "domain", rng(), num_draws=50)
    assert (law.name, law.percent.value, medicine.percent.value) == ("law", 0.0, 1.0)
    assert (medicine.alpha.value, medicine.num_annotators, medicine.num_items) == (1.0, 3, 6)
    assert law.alpha.value < 0


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_before_anybody_judged_figures_are_absent(level):
    nobody = Judgements.of([], [], [], level=level)
    found = agreement_of_project(nobody, rng())
    assert (found.whole.num_items, found.whole.num_annotators, found.whole.num_ratings) == (0, 0, 0)
    for figure in (found.whole.percent, found.whole.alpha, found.whole.fleiss_kappa, found.whole.gwet_ac):
        assert (figure.value, figure.low, figure.high) == (None, None, None)
        assert figure.note == "coefficient undefined: no item has two ratings"
    assert (*found.domains, *found.rounds, *found.with_others, *found.pairs, *found.with_self) == ()
    assert what_to_do_next(nobody, found, wanted=3) == agreement_over_time(nobody, 60.0, rng()) == ()


def test_periods_go_by_the_last_judgement_of_an_item():
    rows = [("a", "x", "A", "", 1), ("b", "x", "A", "", 1), ("a", "y", "A", "", 1), ("b", "y", "B", "", 1)]
    early, late = agreement_over_time(judged(rows, time=[0.0, 0.0, 5.0, 12.0]), 10.0, rng(), num_draws=10)
    assert (early.name, early.percent.value) == ("0", 1.0)
    assert (late.name, late.percent.value) == ("10", 0.0)


def test_a_scale_of_words_has_an_order():
    columns = ["i", "i", "j", "j"], ["x", "y", "x", "y"], ["poor", "good", "fair", "fair"]
    scale = ["poor", "fair", "good"]
    words = Judgements.of(*columns, level="ordinal", values=scale)
    numbers = Judgements.of(*columns[:2], [0, 2, 1, 1], level="ordinal")
    found, same = (agreement_of_items(one, rng(), num_draws=10) for one in (words, numbers))
    assert (found.alpha, found.gwet_ac) == (same.alpha, same.gwet_ac)
    with pytest.raises(ValueError, match="level ordinal with values"):
        Judgements.of(*columns, level="ordinal")
    with pytest.raises(ValueError, match=r"\['poor'\] were given"):
        Judgements.of(*columns, values=["fair", "good"])
    with pytest.raises(ValueError, match="equally many"):
        Judgements.of(["i"], ["x"], ["A", "B"])
    with pytest.raises(ValueError, match="leave missing ones out"):
        Judgements.of(["i", "j"], ["x", "x"], [1.0, float("nan")])


def test_a_million_judgements_take_seconds():
    """About three on one core; the bound leaves room for a busy machine."""
    item = np.repeat(np.arange(100_000), 10)
    person = (rng().integers(100, size=100_000)[:, None] + np.arange(10)).ravel() % 100
    value = np.where(rng().random(1_000_000) < 0.6, item % 5, rng().integers(5, size=1_000_000))
    start = time.process_time()
    found = agreement_of_project(Judgements.of(item, person, value, domain=item % 20), rng())
    assert time.process_time() - start < 10
    assert found.whole.alpha.low < found.whole.alpha.value < found.whole.alpha.high
    assert len(found.with_others) == 100
