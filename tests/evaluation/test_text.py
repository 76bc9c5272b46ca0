import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import CHRF

from instructglm.evaluation.metrics import text

WORDS = st.lists(st.sampled_from(["cat", "dog", "sat", "on", "mat"]), min_size=1, max_size=8).map(" ".join)
CHINESE = st.text("今天天气很好不错", min_size=1, max_size=10)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("Ｐａｒｉｓ", "paris"),
        (" Paris. ", "Paris"),
        ("“Paris”", "Paris"),
        ("《红楼梦》", "红楼梦"),
        ("a  b", "a b"),
        ("。", "。"),
        ("Straße", "STRASSE"),
    ],
)
def test_exact_match_looks_past_dress(answer, reference):
    assert text.exact_match(answer, [reference]) == 1.0


@pytest.mark.parametrize(
    ("answer", "reference"), [("Paris, France", "Paris"), ("+", "-"), ("-5", "5 apples"), ("a b", "ab")]
)
def test_exact_match_does_not_look_past_content(answer, reference):
    assert text.exact_match(answer, [reference]) == 0.0


def test_tokens_are_characters_of_chinese_and_words_of_the_rest():
    assert text.tokenize("我用PyTorch2 训练，don't!") == ["我", "用", "pytorch2", "训", "练", "don't"]
    assert text.tokenize("한국 かな 🙂") == ["한", "국", "か", "な"]
    assert text.tokenize("🙂!") == ["🙂", "!"]


def test_token_overlap_by_hand():
    assert text.token_overlap("the cat sat", ["a dog", "the cat lay down"]) == pytest.approx((2 / 3, 2 / 4, 4 / 7))
    assert text.token_overlap("天气好", ["天气不好"]) == pytest.approx((1.0, 0.75, 6 / 7))
    assert text.token_overlap("cat cat cat", ["cat"]) == pytest.approx((1 / 3, 1.0, 0.5))


@given(CHINESE)
def test_identical_chinese_is_perfect(sentence):
    assert text.rouge_l(sentence, [sentence]) == 1.0
    assert text.chrf(sentence, [sentence]) == pytest.approx(1.0)


@given(WORDS, WORDS)
def test_rouge_l_agrees_with_rouge_score_on_english(answer, reference):
    theirs = RougeScorer(["rougeL"]).score(reference, answer)["rougeL"].fmeasure
    assert text.rouge_l(answer, [reference]) == pytest.approx(theirs)


@given(CHINESE, CHINESE)
def test_chrf_agrees_with_sacrebleu(answer, reference):
    assert text.chrf(answer, [reference]) == pytest.approx(CHRF().sentence_score(answer, [reference]).score / 100)


@given(WORDS, st.lists(WORDS, min_size=1, max_size=4))
@pytest.mark.parametrize("metric", [text.exact_match, text.overlap_f1, text.rouge_l, text.chrf])
def test_several_references_give_the_best_of_each_alone(metric, answer, references):
    assert metric(answer, references) == pytest.approx(max(metric(answer, [one]) for one in references))
