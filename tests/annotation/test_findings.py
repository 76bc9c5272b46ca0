"""What the figures of a project call for."""

import numpy as np

from instructglm.annotation.agreement import (
    Judgements,
    agreement_of_project,
    confusions,
    waiting_items,
    what_to_do_next,
)


def rng():
    return np.random.default_rng(11)


def judged(rows):
    """Judgements from rows of (item, annotator, value, domain, round)."""
    item, annotator, value, domain, round_ = zip(*rows, strict=True)
    return Judgements.of(item, annotator, value, domain=domain, round=round_)


def project_with_troubles():
    """Law: A and B are told apart by nobody. Medicine: only Z is careless. Nearly all of it is judged three times."""
    generator = np.random.default_rng(4)
    rows = []
    for index in range(60):
        people = "xyz" if index >= 22 else "xy"
        rows += [(f"law{index}", who, "AB"[generator.integers(2)], "law", 1) for who in people]
    for index in range(60):
        truth = "ABC"[index % 3]
        rows += [(f"med{index}", who, truth, "medicine", 1) for who in "xy"]
        rows.append((f"med{index}", "z", "ABC"[generator.integers(3)], "medicine", 1))
        rows += [(f"med{index}", who, truth, "medicine", 2) for who in "xy"]
        rows.append((f"med{index}", "z", "ABC"[generator.integers(3)], "medicine", 2))
    return judged(rows)


def test_what_to_do_next_names_the_place_and_the_counts():
    project = project_with_troubles()
    figures = agreement_of_project(project, rng(), num_draws=50, num_draws_of_parts=100)
    found = {(one.kind, one.domain): one for one in what_to_do_next(project, figures, wanted=3, guideline="2.1")}
    law = found["low_alpha", "law"]
    assert law.figures["num_items"] == 60
    assert law.text.startswith(f"domain law: alpha {figures.domains[0].alpha.value:.2f} over 60 items: below 0.667")
    assert found["waiting", "law"].text == "domain law: 22 items wait for annotator 3 of 3"
    most = confusions(project.where(np.flatnonzero(project.domain == 0)), 1)[0]
    assert found["confused", "law"].text == (
        f"guideline 2.1 confuses A and B ({most.num_pairs} of {most.num_disagreements} disagreements in law)"
    )
    assert found["unsteady", ""].figures["annotator"] == "z"
    assert found["unsteady", ""].figures["num_items"] == 60
    assert waiting_items(project, 3) == {2: 22}
    assert waiting_items(project, 2) == {}


def test_the_careless_one_stands_apart():
    generator, rows = np.random.default_rng(4), []
    for index in range(90):
        rows += [(f"i{index}", who, "ABC"[index % 3], "", 1) for who in "wxy"]
        rows.append((f"i{index}", "z", "ABC"[generator.integers(3)], "", 1))
    project = judged(rows)
    figures = agreement_of_project(project, rng(), num_draws=50, num_draws_of_parts=100)
    (apart,) = (one for one in what_to_do_next(project, figures, wanted=4) if one.kind == "apart")
    assert apart.text.startswith("z agrees less with the others than anyone: kappa ")
    assert apart.figures["num_items"] == 90


def test_one_value_everywhere_or_nearly_is_told_as_such():
    rare = [(f"i{i}", who, "B" if (i, who) == (0, "x") else "A", "", 1) for i in range(50) for who in "xyz"]
    alike = [(item, who, "A", domain, round_) for item, who, _value, domain, round_ in rare]
    texts = []
    for rows in (rare, alike):
        project = judged(rows)
        figures = agreement_of_project(project, rng(), num_draws=50, num_draws_of_parts=50)
        texts += [one.text for one in what_to_do_next(project, figures, wanted=3)]
    assert [text.partition(":")[0] for text in texts] == [
        "alpha 0.00 over 50 items although 99% of pairs agree",
        "all 150 ratings of 50 items are alike",
    ]
