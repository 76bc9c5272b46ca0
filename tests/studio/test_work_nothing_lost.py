"""Nothing typed is lost: the server dies, sessions end, tabs clash, input methods compose, texts are odd."""

from __future__ import annotations

import time

import pytest
from desks import FLAT, POEM, REVIEW, Desk, project_of
from sqlalchemy import delete

from instructglm.annotation.queue.answers import Answer
from instructglm.annotation.queue.claim import next_task
from instructglm.annotation.queue.save import save
from instructglm.annotation.store.people import add_person
from instructglm.annotation.store.tables import Role, Session

ODD = "a\0b\x01 <script>alert(1)</script> {{ 7*7 }} 你好\r\nsecond\rthird\n\u200f\u202e\ufeff \U0001f600"


@pytest.fixture
def desk(served, seat):
    """Lets people sit down before a project of these items."""

    def sit(*records, project=None, person=None, settings=None, **options) -> Desk:
        project = project or project_of(served.store, *records, **(settings or {}))
        return Desk(seat(person=person, **options), served.store, project)

    return sit


def test_what_is_typed_is_on_the_server_within_a_second_and_a_half_while_one_types_on(desk):
    ann = desk(POEM).begin()
    field = ann.page.locator("#written textarea")
    began = time.monotonic()
    while not ann.draft():  # without a pause of more than 0.1 s
        field.press_sequentially("a")
        assert time.monotonic() - began < 2.5
        time.sleep(0.05)
    ann.state("kept")
    assert ann.page.locator("#state").inner_text().startswith("Kept at ")


def test_the_server_dies_in_the_middle_of_typing_and_comes_back(desk, served):
    ann = desk(POEM).begin()
    ann.write("Kept on the server. ")
    ann.state("kept")
    served.kill()
    ann.write("Typed while it was away.")
    ann.state("away")
    served.start()
    ann.state("kept", timeout_ms=15_000)
    assert ann.draft()["written"] == ["Kept on the server. Typed while it was away."]


def test_nothing_typed_two_seconds_before_the_servers_death_is_lost_in_any_browser(desk, served):
    ann = desk(POEM).begin()
    ann.write("Two seconds old. ")
    time.sleep(2)
    ann.write("A moment old.")
    served.kill()
    served.start()
    ann.page.reload()
    ann.page.locator("#sheet").wait_for()
    assert ann.written == "Two seconds old. A moment old."  # this browser has its own net
    other = desk(project=ann.project, person=ann.person)
    other.begin()
    assert other.written.startswith("Two seconds old. ")


def test_another_browser_sees_what_a_dead_one_had_typed(desk, served):
    ann = desk(POEM).begin()
    ann.write("Two seconds old.")
    time.sleep(2)
    served.kill()
    ann.page.context.close()  # and its local storage with it
    served.start()
    assert desk(project=ann.project, person=ann.person).begin().written == "Two seconds old."


def test_a_save_that_finds_no_server_is_made_once_when_it_is_back(desk, served):
    ann = desk(POEM).begin()
    ann.write("An answer.")
    ann.state("kept")
    served.kill()
    ann.save()
    ann.state("away")
    ann.page.get_by_text("will be saved as soon as it is back").first.wait_for()
    served.start()
    ann.page.locator("#idle").wait_for(timeout=15_000)
    assert [answer.written for answer in ann.answers()] == [("An answer.",)]


def test_a_save_whose_answer_was_lost_stores_nothing_twice_after_a_reload(desk, served):
    ann = desk(POEM).begin()
    ann.write("Once.")
    ann.page.route("**/save", lambda route: (route.fetch(), route.abort()))  # it arrives; the answer does not
    ann.save()
    ann.state("away")
    ann.page.unroute("**/save")
    ann.page.reload()
    assert ann.idles() == "The rest is for others"
    ann.page.get_by_text("An answer that was still on its way is saved.").wait_for()
    assert [answer.written for answer in ann.answers()] == [("Once.",)]


def test_two_tabs_clash_and_both_texts_are_there_to_choose(desk):
    ann = desk(POEM).begin()
    other = ann.page.context.new_page()
    other.goto(ann.page.url)
    other.locator("#written textarea").fill("From the other tab.")
    ann.write("From this tab.")
    other.keyboard.press("Control+s")
    other.locator('#state[data-state="saved"]').wait_for()
    ann.save()
    ann.page.get_by_role("heading", name="There is another answer of yours").wait_for()
    assert "From the other tab." in ann.page.locator("#conflict-stored").inner_text()
    assert "From this tab." in ann.page.locator("#conflict-mine").inner_text()
    ann.page.get_by_role("button", name="Put mine in its place").click()
    ann.state("saved")
    assert [answer.written for answer in ann.answers()] == [("From the other tab.",), ("From this tab.",)]


def test_after_a_clash_one_goes_on_with_the_other_text_beside_and_a_reload_loses_neither(desk):
    ann = desk(POEM).begin()
    ann.write("From this tab.")
    task = next_task(ann.store, ann.project, ann.person)
    save(ann.store, ann.person, task.assignment, Answer(written=("Elsewhere.",)), key="elsewhere")
    ann.save()
    ann.page.get_by_role("button", name="Go on with mine").click()
    ann.page.get_by_text("The stored answer").wait_for()
    assert ann.written == "From this tab."
    ann.state("kept")
    ann.seat.open(f"/projects/{ann.project}/mine")
    assert ann.page.get_by_text("sent, not saved: 1").is_visible()
    ann.page.locator("a.excerpt").first.click()
    ann.page.locator("#sheet").wait_for()
    assert ann.written == "From this tab."
    ann.page.get_by_text("Sent, but not saved").wait_for()
    ann.page.get_by_role("button", name="Throw away").first.click()
    ann.page.get_by_role("button", name="Throw it away").click()
    ann.page.locator("#others").wait_for(state="hidden")
    ann.page.keyboard.press("Control+s")
    ann.state("saved")
    assert [answer.written for answer in ann.answers()] == [("Elsewhere.",), ("From this tab.",)]


def test_a_newer_draft_of_another_window_is_not_overwritten_unasked(desk):
    ann = desk(POEM).begin()
    other = desk(project=ann.project, person=ann.person).begin()
    other.write("Newer, ")
    other.state("kept")
    other.write("and newer.")
    other.state("typing")
    other.state("kept")
    ann.write("Older.")
    ann.state("replaced")
    assert ann.draft()["written"] == ["Newer, and newer."]
    ann.page.get_by_role("button", name="Keep this one, and show me the other").click()
    ann.page.get_by_text("Newer, and newer.").wait_for()
    ann.state("kept")
    assert ann.draft()["written"] == ["Older."]


def test_an_item_that_others_finished_is_told_and_the_text_kept(desk):
    settings = {"annotators_per_item": 1, "lease_s": 1.0}
    ann = desk(POEM, settings=settings).begin()
    bob = add_person(ann.store, "Bob", Role.ANNOTATOR)
    ann.page.evaluate("Object.defineProperty(document, 'visibilityState', {get: () => 'hidden'})")  # gone away
    time.sleep(1.5)
    task = next_task(ann.store, ann.project, bob)
    save(ann.store, bob, task.assignment, Answer(written=("Bob's.",)), key="1")
    ann.write("Too late.")
    ann.page.get_by_text("This item went back to the others").wait_for()
    ann.save()
    ann.page.get_by_text("This item can no longer be saved.").wait_for()
    ann.page.get_by_role("button", name="To the next item").click()
    assert ann.idles() == "Everything is done"
    ann.seat.open(f"/projects/{ann.project}/mine")
    ann.page.get_by_role("link", name="Write a poem").first.click()
    ann.page.get_by_text("Sent, but not saved").wait_for()


def test_a_session_that_ended_is_begun_again_in_place(desk):
    from browsers import PASSWORD

    ann = desk(POEM).begin()
    with ann.store.write() as write:
        write.connection.execute(delete(Session))
    ann.write("Typed without a session.")
    ann.page.get_by_role("heading", name="Sign in again").wait_for()
    for password in ("this is not the one", PASSWORD):
        ann.page.locator("#sign-in-password").fill(password)
        ann.page.get_by_role("button", name="Sign in").click()
        if password != PASSWORD:
            ann.page.get_by_text("This password is not right.").wait_for()
    ann.state("kept")
    ann.save()
    ann.idles()
    assert ann.answers()[0].written == ("Typed without a session.",)


def test_a_busy_server_is_asked_again(desk):
    ann = desk(POEM).begin()
    left = [429, 503]

    def busy(route):
        code = left.pop() if left else None
        route.fulfill(status=code, headers={"Retry-After": "1"}, body="{}") if code else route.continue_()

    ann.page.route("**/save", busy)
    ann.write("Patience.")
    ann.save()
    ann.idles()
    assert [answer.written for answer in ann.answers()] == [("Patience.",)]


def test_chinese_is_composed_without_a_shortcut_and_without_half_a_word_kept(desk):
    ann = desk(POEM).begin()
    ann.page.locator("#written textarea").focus()
    devtools = ann.page.context.new_cdp_session(ann.page)

    def compose(text: str) -> None:
        devtools.send("Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)})

    for text in ("n", "ni", "ni h", "ni hao"):
        compose(text)
        for key, code in (("1", 229), ("?", 229), ("Enter", 229)):
            devtools.send(
                "Input.dispatchKeyEvent",
                {"type": "rawKeyDown", "key": key, "windowsVirtualKeyCode": code, "modifiers": 2},
            )
        time.sleep(0.5)
    assert ann.written == "ni hao"
    assert (ann.draft(), ann.answers()) == (None, [])
    assert ann.page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('work:'))") == []
    devtools.send("Input.insertText", {"text": "你好"})
    ann.state("kept")
    assert ann.draft()["written"] == ["你好"]
    compose("shi jie")
    time.sleep(1.5)
    assert ann.draft()["written"] == ["你好"]
    devtools.send("Input.insertText", {"text": "世界"})
    ann.save()
    ann.idles()
    assert ann.answers()[0].written == ("你好世界",)


def test_keys_outside_fields_do_nothing_while_an_input_method_composes(desk):
    ann = desk(REVIEW).begin()
    for options in ("{key: '2', isComposing: true}", "{key: '2', keyCode: 229}"):
        ann.page.evaluate(f"document.body.dispatchEvent(new KeyboardEvent('keydown', {{bubbles: true, ...{options}}}))")
    assert ann.page.locator("#label input:checked").count() == 0
    ann.page.evaluate("document.body.dispatchEvent(new KeyboardEvent('keydown', {bubbles: true, key: '2'}))")
    assert ann.page.locator("#label input:checked").count() == 1


def test_an_odd_text_that_nobody_touched_goes_back_as_it_came(desk):
    ann = desk(POEM)
    task = next_task(ann.store, ann.project, ann.person)
    save(ann.store, ann.person, task.assignment, Answer(written=(ODD, "x\r\n" * 350_000)), key="1")
    ann.begin(assignment=task.assignment)
    ann.page.get_by_label("Comment").fill("Only this is new.")
    ann.page.keyboard.press("Control+s")
    ann.state("saved")
    first, second = ann.answers()
    assert second.written == first.written == (ODD, "x\r\n" * 350_000)
    ann.page.locator("#written textarea").first.focus()
    ann.page.keyboard.press("Control+Home")
    ann.page.keyboard.type("Z")
    ann.page.keyboard.press("Control+s")
    ann.page.wait_for_function("document.getElementById('state').dataset.state === 'saved'")
    assert ann.answers()[-1].written[0] == "Z" + ODD
    assert ann.faults == []


def test_an_edit_of_a_text_with_crlf_changes_what_was_edited_alone(desk):
    ann = desk({**FLAT, "outputs": ["one\r\ntwo\r\nthree"]}, settings={"criteria": {}}).begin()
    ann.page.get_by_role("button", name="Edit").click()
    ann.page.get_by_label("Your version").press("Control+End")
    ann.page.keyboard.type("!")
    ann.save()
    ann.idles()
    assert ann.answers()[0].edits[0].text == "one\r\ntwo\r\nthree!"


def test_a_paste_keeps_its_line_ends(desk):
    ann = desk(POEM).begin()
    ann.write("ab")
    ann.page.keyboard.press("ArrowLeft")
    ann.page.evaluate(
        """() => {
          const field = document.activeElement, data = new DataTransfer();
          data.setData("text/plain", "1\\r\\n2\\r\\n");
          field.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
          document.execCommand("insertText", false, "1\\n2\\n");
        }"""
    )
    ann.save()
    ann.idles()
    assert ann.answers()[0].written == ("a1\r\n2\r\nb",)


def test_a_full_browser_says_so_and_the_server_keeps(desk):
    ann = desk(POEM).begin()
    full = "throw new DOMException('full', 'QuotaExceededError')"
    ann.page.evaluate(f"() => {{ Storage.prototype.setItem = () => {{ {full}; }}; }}")
    ann.write("x")
    ann.state("no-room")
    ann.state("kept")
    ann.page.reload()
    ann.page.locator("#sheet").wait_for()
    assert ann.written == "x"


def test_what_was_typed_for_another_store_is_not_taken_for_this_one(desk):
    ann = desk(POEM).begin()
    ann.write("Of this store.")
    ann.state("kept")
    renamed = """() => {
      for (const name of Object.keys(localStorage).filter((one) => one.startsWith("work:"))) {
        const other = name.replace(/^work:[0-9a-f]{12}/, "work:000000000000");
        localStorage.setItem(other, localStorage.getItem(name).replace("Of this", "Of another"));
        localStorage.removeItem(name);
      }
      return Object.keys(localStorage).filter((one) => one.startsWith("work:000000000000")).length;
    }"""
    assert ann.page.evaluate(renamed) == 1
    ann.begin()
    assert ann.written == "Of this store."
    assert not ann.page.locator("#others").is_visible()
