"""Annotating in a real browser: every kind of answer, by mouse and by keys, in both themes and languages."""

from __future__ import annotations

import pytest
from browsers import PHONE, serious_faults
from desks import FLAT, POEM, REVIEW, TEXTS, Desk, project_of

from instructglm.annotation.queue.rounds import add_new_instructions
from instructglm.annotation.store.importing import import_records
from instructglm.annotation.store.projects import Scale, add_guideline


@pytest.fixture
def desk(served, seat):
    """Lets people sit down before a project of these items."""

    def sit(*records, project=None, person=None, settings=None, **options) -> Desk:
        project = project or project_of(served.store, *records, **(settings or {}))
        return Desk(seat(person=person, **options), served.store, project)

    return sit


def ids_by_text(desk) -> dict[str, int]:
    cards = desk.page.locator("[data-output]")
    return {
        card.locator("[data-original]").inner_text(): int(card.get_attribute("data-output")) for card in cards.all()
    }


def shown(desk) -> list[int]:
    """The outputs in the order in which this person sees them."""
    return [int(card.get_attribute("data-output")) for card in desk.page.locator("[data-output]").all()]


def rated(answer, order) -> list[float]:
    values = {one.output: one.value for one in answer.ratings}
    return [values[output] for output in order if output in values]


def test_somebody_writes_two_outputs_with_a_comment_and_a_flag(desk):
    ann = desk(POEM).begin()
    ann.write("Red leaves fall.")
    ann.page.click("#write-more")
    ann.page.keyboard.type("红叶落。")
    ann.page.get_by_label("Comment").fill("Two languages.")
    ann.page.get_by_label("Flag this item").check()
    ann.page.get_by_label("What they should look at").fill("Is Chinese wanted?")
    ann.save()
    assert ann.idles() == "The rest is for others"
    (answer,) = ann.answers()
    assert answer.written == ("Red leaves fall.", "红叶落。")
    assert (answer.comment, answer.flag) == ("Two languages.", "Is Chinese wanted?")
    assert ann.draft() is None
    assert ann.faults == []


def test_two_rate_one_by_digits_alone_the_other_by_mouse(desk):
    ann = desk(FLAT).begin()
    bob = desk(project=ann.project).begin()
    order = shown(ann)
    for digit in "531":
        ann.page.keyboard.press(digit)
    ann.save()
    ann.idles()
    for place in range(3):
        bob.page.locator(".output").nth(place).get_by_label("2", exact=True).check()
    bob.page.get_by_role("button", name="Save and go on").click()
    assert bob.idles() == "Everything is done"
    assert rated(ann.answers()[0], order) == [5, 3, 1]
    assert [one.value for one in bob.answers()[0].ratings] == [2, 2, 2]


def test_what_is_missing_is_told_once_and_a_choice_can_be_taken_back(desk):
    ann = desk(FLAT).begin()
    for key in ("1", "2", "k", "Backspace"):
        ann.page.keyboard.press(key)
    assert ann.page.locator("#missing").inner_text() == "Ratings missing: 2."
    ann.save()
    assert "Save again if you mean it so." in ann.page.locator("#notice").inner_text()
    assert ann.answers() == []
    ann.save()
    ann.idles()
    assert [one.value for one in ann.answers()[0].ratings] == [1]


def test_outputs_are_ranked_by_keys_with_ties(desk):
    ann = desk(FLAT).begin()
    ids = shown(ann)
    ann.page.keyboard.press("r")  # to the first in the tray
    for _ in range(3):
        ann.page.locator("[data-tray] [data-handle]").first.focus()
        ann.page.keyboard.press("ArrowUp")
    ann.page.locator(f'[data-id="{ids[2]}"] [data-handle]').focus()
    for key in ("ArrowUp", "="):  # before the second, and then tied with the first
        ann.page.keyboard.press(key)
    assert ann.page.locator("[data-told]").inner_text() == "Output C is at place 1, tied."
    for _ in range(2):
        ann.save()
    ann.idles()
    assert {one.output: one.rank for one in ann.answers()[0].ranks} == {ids[0]: 1, ids[2]: 1, ids[1]: 2}


def drag(desk, source: str, target: str, part: float) -> None:
    """By the mouse, from a handle to a height (0 to 1) of a target."""
    page = desk.page
    page.locator("#ranking-part").scroll_into_view_if_needed()
    handle, place = page.locator(source).bounding_box(), page.locator(target).bounding_box()
    page.mouse.move(handle["x"] + 8, handle["y"] + 8)
    page.mouse.down()
    page.mouse.move(place["x"] + 60, place["y"] + place["height"] * part, steps=4)
    page.mouse.up()


def test_outputs_are_ranked_by_drag(desk):
    ann = desk(FLAT).begin()
    ids = shown(ann)
    handles = [f'[data-id="{one}"] [data-handle]' for one in ids]
    drag(ann, handles[0], "#ranking-part .ranks", 0.5)
    drag(ann, handles[1], '[data-at="0"]', 0.1)  # before it
    drag(ann, handles[2], '[data-at="1"]', 0.5)  # into its row
    for _ in range(2):
        ann.save()
    ann.idles()
    assert {one.output: one.rank for one in ann.answers()[0].ranks} == {ids[1]: 1, ids[0]: 2, ids[2]: 2}


def test_a_label_by_its_digit(desk):
    ann = desk(REVIEW).begin()
    ann.page.keyboard.press("3")
    ann.save()
    ann.idles()
    assert ann.answers()[0].label == "mixed"


def test_digits_choose_in_the_item_that_is_seen_and_not_in_the_choices_of_the_one_before(desk, served):
    ann = desk(REVIEW).begin()
    ann.page.keyboard.press("3")
    ann.save()
    ann.idles()
    import_records(served.store, ann.project, [("raw:2", FLAT)])
    add_new_instructions(served.store, ann.project)
    ann.page.click("#again")
    ann.sees("without notice")
    for digit in "231":
        ann.page.keyboard.press(digit)
    order = shown(ann)
    ann.save()
    ann.idles()
    assert rated(ann.answers()[1], order) == [2, 3, 1]


def test_a_draft_is_edited_the_change_is_shown_and_the_original_stays(desk):
    ann = desk(FLAT).begin()
    output = ids_by_text(ann)["He may come whenever he likes."]
    card = ann.page.locator(f'[data-output="{output}"]')
    card.get_by_role("button", name="Edit").click()
    card.get_by_label("Your version").fill("He may never come whenever he wants.")
    card.locator("del").first.wait_for()
    assert (card.locator("del").all_inner_texts(), card.locator("ins").all_inner_texts()) == (
        ["likes"],
        ["never ", "wants"],
    )
    assert card.locator("[data-original]").inner_text() == TEXTS[1]
    for _ in range(2):
        ann.save()
    ann.idles()
    (edit,) = ann.answers()[0].edits
    assert (edit.output, edit.text) == (output, "He may never come whenever he wants.")


def test_an_output_and_the_instruction_are_rejected_with_reasons(desk):
    ann = desk(FLAT).begin()
    output = ids_by_text(ann)["He may come whenever he likes."]
    card = ann.page.locator(f'[data-output="{output}"]')
    card.get_by_role("button", name="Reject").click()
    ann.page.get_by_label("Why it must not be used").fill("Plainly wrong.")
    ann.page.keyboard.press("Escape")
    assert not card.get_by_text("Plainly wrong.").is_visible()
    card.get_by_role("button", name="Reject").click()
    ann.page.get_by_label("Why it must not be used").fill("Plainly wrong.")
    ann.page.get_by_role("button", name="Reject it").click()
    card.get_by_text("Plainly wrong.").wait_for()
    ann.page.get_by_role("button", name="Reject the instruction").click()
    ann.page.get_by_label("Why it must not be used").fill("Which country?")
    ann.page.get_by_role("button", name="Reject it").click()
    ann.page.get_by_text("Which country?").wait_for()
    ann.save()
    ann.idles()
    said = {one.output: one.reason for one in ann.answers()[0].rejected}
    assert said == {output: "Plainly wrong.", None: "Which country?"}


def test_an_item_is_skipped_and_another_given_back_with_its_text(desk):
    ann = desk(POEM, REVIEW).begin()
    first = ann.page.locator("#messages").inner_text()
    ann.page.keyboard.press("s")
    ann.page.get_by_label("Why (you may leave it empty)").fill("Not my field.")
    ann.page.get_by_role("button", name="Skip it").click()
    ann.page.locator("#messages").get_by_text(first.splitlines()[-1]).wait_for(state="detached")
    ann.write("Half a thought")
    ann.page.get_by_role("button", name="Give back").click()
    ann.page.get_by_role("button", name="Give it back").click()
    assert ann.idles() == "Given back"
    assert ann.draft()["written"] == ["Half a thought"]
    ann.page.get_by_role("button", name="Look again").click()
    ann.page.locator("#sheet").wait_for()
    assert ann.written == "Half a thought"
    assert [one.skip for one in ann.answers()] == ["Not my field."]


def test_an_answer_is_opened_again_and_changed(desk):
    ann = desk(FLAT).begin()
    order = shown(ann)
    for digit in "531":
        ann.page.keyboard.press(digit)
    ann.save()
    ann.idles()
    ann.seat.open(f"/projects/{ann.project}/mine")
    ann.page.get_by_role("link", name="Open").click()
    ann.page.locator("#sheet").wait_for()
    assert ann.page.locator("#outputs input:checked").count() == 3
    ann.page.locator(".output").first.get_by_label("1, poor").check()
    ann.page.keyboard.press("Control+s")
    ann.state("saved")
    assert [rated(answer, order) for answer in ann.answers()] == [[5, 3, 1], [1, 3, 1]]
    ann.seat.open(f"/projects/{ann.project}/mine")
    assert ann.page.get_by_text("revision 2").is_visible()


def test_a_long_scale_is_typed_and_the_servers_faults_stand_at_their_fields(desk):
    ann = desk(FLAT, settings={"criteria": {"quality": Scale(low=0, high=100)}}).begin()
    fields, order = ann.page.locator(".output input[type=number]"), shown(ann)
    for place in range(3):
        fields.nth(place).fill("70" if place else "170")
    ann.save()
    fault = ann.page.locator(".output").first.locator(".fault")
    fault.wait_for()
    assert "found 170; expected 0 to 100" in fault.inner_text()
    fields.first.fill("17")
    ann.save()
    ann.idles()
    assert rated(ann.answers()[0], order) == [17, 70, 70]


def test_a_scale_whose_values_nobody_named_says_which_end_is_good(desk):
    ann = desk(FLAT, settings={"criteria": {"quality": Scale(low=1, high=3)}}).begin()
    options = ann.page.locator("[data-output] .scale").first.locator("label")
    assert [one.split() for one in options.all_inner_texts()] == [["1", "worst"], ["2"], ["3", "best"]]


def test_a_newer_guideline_is_told_until_it_is_read(desk, served):
    ann = desk(POEM, REVIEW)
    add_guideline(served.store, ann.project, "# Old\n\n- be <b>kind</b>")
    ann.begin()
    assert ann.page.locator("#guide-text li").inner_text() == "be <b>kind</b>"
    assert not ann.page.locator("#guide-new").is_visible()
    add_guideline(served.store, ann.project, "# New")
    ann.page.keyboard.press("s")
    ann.page.get_by_role("button", name="Skip it").click()
    ann.page.get_by_text("Version 2 is newer than the one that you read (1).").wait_for()
    ann.page.reload()
    ann.page.get_by_role("button", name="I have read it").click()
    ann.page.reload()
    ann.page.locator("#sheet").wait_for()
    assert not ann.page.locator("#guide-new").is_visible()


def test_single_keys_can_be_turned_off(desk):
    ann = desk(REVIEW).begin()
    ann.page.keyboard.press("?")
    ann.page.get_by_label("Single keys do something").uncheck()
    ann.page.get_by_role("button", name="Close").click()
    ann.page.keyboard.press("2")
    assert ann.page.locator("#label input:checked").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("shape", [{}, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("language", ["en-GB", "zh-CN"])
def test_everybody_can_use_it(theme, shape, language, desk, served):
    ann = desk(FLAT, REVIEW, color_scheme=theme, locale=language, bypass_csp=True, **shape)
    add_guideline(served.store, ann.project, "# Rules\n\n- be exact")
    for number in range(2):
        ann.begin()
        if ann.page.locator("[data-edit]:visible").count():
            ann.page.locator("[data-edit]").first.click()
            ann.page.locator("[data-tray] [data-move=up]").first.click()
        assert serious_faults(ann.page) == [], number
        assert ann.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        ann.page.locator("#skip").click()
        ann.page.locator("#ask-go").click()
        ann.page.locator("#ask").wait_for(state="hidden")
        ann.page.wait_for_load_state("networkidle")
    for name in ("mine", "guideline"):
        ann.seat.open(f"/projects/{ann.project}/{name}")
        assert serious_faults(ann.page) == [], name
        assert ann.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert ann.faults == []
