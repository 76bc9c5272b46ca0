"""The page: well formed, self-contained, and everything on it text."""

import re
from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from instructglm.report.contents import Report, TrainingCard
from instructglm.report.html import render_html
from instructglm.report.visible import inert, visible

VOID = {"meta", "br", "hr", "img", "input", "link", "wbr", "col"}
KNOWN = frozenset(
    re.split(
        r"\s+",
        """html head meta title
    style script body nav main header footer section article div span p h1 h2 h3 h4 a button
    dl dt dd figure figcaption svg line text circle polygon polyline rect table caption thead tbody tr th td details
    summary small b i code pre bdi label select option input""",
    )
)


class Page(HTMLParser):
    """Reads a page strictly: every element known, and closed in the order in which it was opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in KNOWN, f"{tag} at line {self.getpos()[0]}"
        assert len(attrs) == len(dict(attrs)), f"{tag} repeats an attribute"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> without a start, line {self.getpos()[0]}"
        assert self.open.pop() == tag, f"</{tag}> at line {self.getpos()[0]}"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return render_html(report)


def test_every_element_is_closed_in_order(html: str) -> None:
    page = Page(html)
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert html.startswith("<!doctype html>")


def test_refers_to_no_other_file_or_host(html: str) -> None:
    assert "://" not in html
    for tag, attributes in Page(html).tags:
        assert tag not in ("link", "img", "iframe", "object", "base", "form", "image", "use")
        assert not {"src", "srcset", "data", "action", "xlink:href", "style"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"url\(|@import|\bfetch\(|XMLHttpRequest|import\(", html.split("</head>")[0])


def test_links_within_the_page_lead_somewhere(html: str) -> None:
    tags = Page(html).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {(a["href"] or "")[1:] for tag, a in tags if tag == "a"} <= set(ids)


def test_no_script_but_ours_and_no_handlers(html: str) -> None:
    tags = Page(html).tags
    assert sum(tag == "script" for tag, _ in tags) == 1
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert "default-src 'none'" in str(next(a for _, a in tags if a.get("http-equiv") == "Content-Security-Policy"))


def test_no_character_that_html_forbids_or_that_turns_text_around(html: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", html)
    shown = Page(html).text
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", shown)


def test_hostile_text_is_shown_letter_by_letter(named: dict[str, Callable[[], Report]]) -> None:
    shown = Page(render_html(named["hostile"]())).text
    for text in (
        '<script>alert("x")</script>',
        "</style></script><img src=x onerror=alert(1)>",
        "{{ 7 * 7 }} {% raw %}",
        "&amp;",
        '" onmouseover="alert(1)',
        "http://example.org/a?b=c&d=e",
        "中文内容，<b>粗体</b>",
        "שלום",
    ):
        assert text in shown
    assert "U+202Egnp.exe" in shown


def test_every_ledger_row_is_named(report: Report, html: str) -> None:
    part = html.split('<section id="ledger">')[1].split("</section>")[0]
    found, file = set(), ""
    for heading, places in re.findall(r"<h4><bdi>(.*?)</bdi>|<p><code>(.*?)</code>", part):
        file = heading or file
        found |= {file + place for place in places.split()}
    assert found == {str(visible(entry.row)) for entry in report.data.ledger}


def test_twenty_thousand_rows_left_out_fit_into_three_megabytes(build: Callable[..., Report]) -> None:
    report = build(num_ledger=20_000, num_samples=300)
    assert len(report.data.ledger) == 20_000
    assert len(render_html(report).encode()) < 3_000_000


def test_says_so_where_no_difference_is_shown(named: dict[str, Callable[[], Report]]) -> None:
    shown = Page(render_html(named["no_difference"]())).text
    assert "These items show no difference between tuned and base in Accuracy" in shown
    assert 'class="badge better"' not in render_html(named["no_difference"]())


def test_figures_stand_with_interval_and_unparsed_count(named: dict[str, Callable[[], Report]]) -> None:
    shown = Page(render_html(named["ordinary"]())).text
    assert "88.3 % [84.7, 91.9]" in shown
    assert "+24.3 [+18.9, +29.7]" in shown
    assert "7 unparsed" in shown
    assert "0 unparsed" in shown


def test_losses_that_cannot_be_drawn_are_counted(named: dict[str, Callable[[], Report]]) -> None:
    assert "1 losses were not finite" in Page(render_html(named["broken_losses"]())).text


def test_the_gap_and_task_metrics_stand_under_the_curves(named: dict[str, Callable[[], Report]]) -> None:
    html = Page(render_html(named["ordinary"]())).text
    assert "Gap at step 84: -0.004 nats (validation 0.367, train 0.371 on average over the 12 steps" in html
    assert "Accuracy, % of 100" in html
    assert "Macro F1, % of 90" in html
    assert "A share of 90 is off by up to 10 points" in html


def test_every_sample_stands_in_the_page_without_scripts(report: Report, html: str) -> None:
    articles = [a for tag, a in Page(html).tags if tag == "article" and a.get("class") == "item"]
    assert len(articles) == len(report.samples)
    assert not any("hidden" in attributes for attributes in articles)


def test_drawing_twice_gives_the_same_page(report: Report, html: str) -> None:
    assert render_html(report) == html


def test_inert_keeps_what_a_browser_shows() -> None:
    text = "a https://b.c/d // e"
    assert Page(f"<p>{inert(text)}</p>").text == text


def test_a_dataset_that_is_all_test_items_can_be_shown(build: Callable[..., Report]) -> None:
    report = build(with_open=False)
    card = report.data.tasks[0].model_copy(update={"num_examples": {"test": 5}, "num_outputs": {}, "answers": {}})
    data = report.data.model_copy(update={"tasks": (card,)})
    shown = Page(render_html(report.model_copy(update={"data": data}))).text
    assert re.search(r"Training examples\S*\s*0\s", shown)


def test_what_was_told_stands_beside_what_it_took(named: dict[str, Callable[[], Report]]) -> None:
    shown = " ".join(Page(render_html(named["estimated"]())).text.split())
    assert "Estimated估计Measured实测" in shown
    assert "Tokens read读入词元数150,000148,220" in shown
    assert "Memory at most内存峰值4.5 GiB4.7 GiB" in shown
    assert "Training time训练用时–4 min 12 s" in shown  # nobody guesses a time
    assert "by how much the process grew" in shown


def test_what_was_not_told_is_a_dash_and_old_runs_have_no_such_table(named: dict[str, Callable[[], Report]]) -> None:
    shown = " ".join(Page(render_html(named["half_estimated"]())).text.split())
    assert "Steps步数–120" in shown
    assert "Memory at most内存峰值4.5 GiB–" in shown
    assert "Estimate and reality" not in render_html(named["ordinary"]())


def test_a_card_from_before_there_were_estimates_is_read(named: dict[str, Callable[[], Report]]) -> None:
    card = named["ordinary"]().training
    assert card is not None
    old = card.model_dump(mode="json", exclude={"estimate", "peak_memory", "memory_measure"})
    assert TrainingCard.model_validate(old) == card
    new = named["estimated"]().training
    assert new is not None
    assert TrainingCard.model_validate_json(new.model_dump_json()) == new
