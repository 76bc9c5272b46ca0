import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from instructglm.annotation.similarity import mean_similarity, similarities, similarity

texts = st.text(alphabet="abc 今天气好。，", max_size=12)


@given(texts, texts)
def test_it_is_symmetric_and_between_0_and_1(one, other):
    assert similarity(one, other) == similarity(other, one)
    assert 0.0 <= similarity(one, other) <= 1.0
    assert similarity(one, one) == 1.0


def test_by_hand():
    """abc and abd: two of three letters, one of two pairs, no triple in common."""
    assert similarity("abc", "abd") == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_width_case_and_blanks_do_not_count():
    assert similarity("Ｇood\n day", "goodday") == 1.0
    assert similarity("", " ") == 1.0
    assert similarity("", "a") == 0.0


def test_chinese_is_compared_by_character():
    near, far = (
        similarity("今天天气很好，我们去公园。", other) for other in ("今天天气不错，我们去公园吧。", "股市下跌了。")
    )
    assert near > 0.4 > 0.1 > far


def test_a_table_of_texts_and_its_mean():
    three = ["the same", "the same", "another"]
    table = similarities(three)
    assert np.array_equal(table, table.T)
    assert table.diagonal().tolist() == [1.0, 1.0, 1.0]
    assert mean_similarity(three) == pytest.approx((1.0 + 2 * table[0, 2]) / 3)
    assert mean_similarity(["alone"]) is None
