"""card.md."""

from collections.abc import Callable

from instructglm.report.card import card_markdown
from instructglm.report.contents import Report


def test_names_sources_answers_reasons_and_agreement(build: Callable[..., Report]) -> None:
    card = card_markdown(build(num_ledger=400).data)
    assert "| answer: positive | 400 | 50 | 151 |" in card
    assert "| over\\_limit | 291 |" in card
    assert "0.512 (0.498 to 0.527)" in card
    assert "ab" * 32 in card


def test_tables_keep_their_columns_whatever_the_data(report: Report) -> None:
    width = None
    for line in card_markdown(report.data).splitlines():
        cells = line.replace("\\|", "").count("|") if line.startswith("|") else None
        assert cells is None or width in (None, cells)
        width = cells
        assert "<" not in line


def test_says_so_where_nothing_was_left_out(named: dict[str, Callable[[], Report]]) -> None:
    assert "Every row that was read is used." in card_markdown(named["empty"]().data)
