"""Where a reply mentions the choices.

Every mention becomes one private-use character, so that what decides about it
(negation, alternation, "the answer is ...") can be written as patterns over a
skeleton that no label, however odd, can confuse: the "not" inside the label
"not offensive" is gone before anybody looks for negations.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

FIRST_MARK = 0xF0000
"""Mark of the first choice; the others follow."""
MARK = "[\U000f0000-\U000ffffd]"
"""Any mention, in a pattern."""

_CJK = r"\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = rf"[^\W{_CJK}]"

# --- the reply's dress ------------------------------------------------------------------------------------------
_THOUGHTS = re.compile(r"^.*</think>", re.DOTALL)
_PRIVATE = re.compile("[\ue000-\uf8ff\ufff9-\ufffd\U000f0000-\U0010ffff\u200b-\u200f\ufeff]")
_ANSWER_FRAME = re.compile(
    r"\\boxed\s*\{(?:\\text\s*\{)?([^{}]*)\}*|<answer>\s*(.*?)\s*</answer>", re.DOTALL | re.IGNORECASE
)
_ANSWER_LINE = re.compile(r"^[ \t]*A\s*:\s*(?=\(?[A-Z]\b)", re.MULTILINE)
_QUOTES = re.compile(r"(?<![a-zA-Z])'|'(?![a-zA-Z])|[\"“”„«»‘「」『』《》`]")
_EMPHASIS = re.compile(r"\*+|(?<!\w)_+|_+(?!\w)|~~|^[ \t]*(?:#+|>|[-•])[ \t]+|\$", re.MULTILINE)
_OUT_OF = re.compile(r"(?<=\d)\s*(?:out of|/)\s*(?:5|10|100)\b", re.IGNORECASE)


def normalise(text: str) -> str:
    """The text in one width and without thoughts, quotes and markup; case and line ends stay."""
    text = _THOUGHTS.sub("", unicodedata.normalize("NFKC", text)).replace("’", "'")
    text = _PRIVATE.sub("", text)
    text = _ANSWER_FRAME.sub(lambda found: f"\nanswer: {found[1] or found[2]}\n", text)
    text = _EMPHASIS.sub("", _QUOTES.sub("", text)).replace("_", " ")
    return _ANSWER_LINE.sub("answer: ", text).strip()


# --- which characters may stand beside a label ---------------------------------------------------------------------
_LEFT, _RIGHT = rf"(?<!{_WORD})(?<!{_WORD}-)(?<!{_WORD}&)", rf"(?!{_WORD}|-{_WORD}|&{_WORD}|'[a-z])"
_NUMBER_LEFT, _NUMBER_RIGHT = r"(?<!\d[.,])", r"(?![.,]\d|\s*%)"
_LETTER_RIGHT = r"(?![+#]|\.[A-Z]|[股站型级罗轮座]|\s*(?:和|与)?乙)"
# "A" and "I" are words of their own: before a lower-case word they are a label only if that word goes on about it.
_ARTICLE_RIGHT = (
    r"(?!\s+(?!(?:is|was|because|since|as|seems|looks|would|should|must|fits|matches|and|or|nor|but|not|are|over|rather"
    r"|than|vs|to|instead|can|could|might|may|cannot|isn't|doesn't|does|seem)\b)[a-z])"
)
_PRONOUN_RIGHT = r"(?!\s+[a-z])"
_COMPOUND = re.compile(
    r"\b(?:vitamin|plan|hepatitis|grade|appendix|exhibit|type|team|group|phase|series|mr|mrs|dr)\.?\s*$", re.IGNORECASE
)
# "No" before a noun is a determiner; as an answer it stands alone or is followed by a reason.
_NO_RIGHT = r"(?=\s*(?:[.,;:!?)\]\n]|[-—]|$)|\s+(?:or|and|because|since|it|this|that|there|he|she|they|i|we|you)\b)"

# Chinese labels of function words ("是", "不对", "真的") are pieces of other words everywhere, so they count only
# where they fill their clause, or end it after a verb that introduces an answer.
_FUNCTION_WORDS = frozenset("是否对错不有无的没真假好坏能会可以")
_CUE_LEFT = rf"(?:(?<=[是为选填得认该于算断答案])|(?<![{_CJK}]))"
_CLAUSE_RIGHT = rf"(?=(?:的|了)?(?:[^{_CJK}]|$))"
_NEGATIVE_LEFT = r"(?<![是对有好能会])"


def _is_letter(label: str) -> bool:
    return len(label) == 1 and label.isascii() and label.isalpha()


def _is_function_word(label: str) -> bool:
    return bool(re.fullmatch(rf"[{_CJK}]", label)) or set(label) <= _FUNCTION_WORDS


def _label_pattern(label: str) -> str:
    if _is_letter(label):
        article = {"A": _ARTICLE_RIGHT, "I": _PRONOUN_RIGHT}.get(label.upper(), "")
        return rf"{_LEFT}(?<![A-Z]\.)(?-i:{label.upper()}){_RIGHT}{_LETTER_RIGHT}(?-i:{article})"
    if label and _is_function_word(label):
        left = _NEGATIVE_LEFT if len(label) > 1 and label[0] in "不没无" else _CUE_LEFT
        return rf"{left}{label}{_CLAUSE_RIGHT}"
    body = r"[\s-]+".join(re.escape(word) for word in re.split(r"[\s-]+", label) if word) or re.escape(label)
    return _edges(label, body)


def _edges(label: str, body: str) -> str:
    left = _LEFT if re.match(_WORD, label) else ""
    right = _RIGHT if re.match(_WORD, label[-1:]) else ""
    if label[:1].isdigit():
        left += _NUMBER_LEFT
    if label[-1:].isdigit():
        right += _NUMBER_RIGHT
    return left + body + right + (_NO_RIGHT if label == "no" else "")


def label_form(choice: str) -> str:
    """A choice as it is looked for: normalised, in lower case, without outer punctuation."""
    text = normalise(choice)
    return (text.strip(" \t\n.,!?;:。，！？；：、()[]【】") or text).casefold()


@lru_cache(maxsize=256)
def _finder(choices: tuple[str, ...]) -> re.Pattern[str]:
    # The longest label first: at one place "not offensive" is never read as "offensive".
    forms = sorted(enumerate(map(label_form, choices)), key=lambda pair: -len(pair[1]))
    return re.compile("|".join(f"(?P<c{index}>{_label_pattern(form)})" for index, form in forms if form), re.IGNORECASE)


def _raise_marked_letters(text: str, choices: Sequence[str]) -> str:
    """Put lower-case letters that are plainly answers, as in "(b)" or "the answer is b", in upper case."""
    letters = "".join(form for form in map(label_form, choices) if _is_letter(form))
    if not letters:
        return text
    cue = (
        r"(?:\A\W*|[(\[【]\s*|\b(?:answer|option|choice)\s*(?:is|:|=)?\s*\(?"
        r"|(?:答案|选项?|选择)\s*(?:应该)?(?:是|为|:)?\s*\(?)"
    )
    end = r"(?=\s*(?:[.):,\]】;!。、\n]|\Z))"
    return re.sub(rf"({cue})([{letters}]){end}", lambda found: found[1] + found[2].upper(), text, flags=re.IGNORECASE)


def _stands(text: str, found: re.Match[str], form: str) -> bool:
    """Whether a match is a label there and not a part of an expression."""
    before, after = text[: found.start()], text[found.end() :]
    if _is_letter(form):
        return not _COMPOUND.search(before)
    if _is_function_word(form) and re.match(r"的|了", after) and form not in ("是", "对"):
        return bool(re.search(r"[是为得认该于算断案]$", before))  # "好的, ..." and "对了, ..." only clear the throat
    if form == "是" and after.startswith(":"):
        return False  # "答案是: ..." announces a label and is none
    if form == "否" and before.endswith("是"):
        return bool(re.search(r"(?:答案|回答|结论|结果|选择|判断)是$", before))  # else it is "是否", whether
    if form in ("good", "great", "right"):
        return not re.match(r"\s+(?:question|morning|point|luck|day|evening|now|away)\b", after, re.IGNORECASE)
    return True


def skeleton(reply: str, choices: Sequence[str]) -> str:
    """The reply in lower case with every mention of a choice replaced by its mark."""
    text = _raise_marked_letters(normalise(reply), choices)
    if any(choice.strip().isdigit() for choice in choices):
        text = _OUT_OF.sub("", text)
    forms = [label_form(choice) for choice in choices]
    pieces, end = [], 0
    for found in _finder(tuple(choices)).finditer(text):
        index = int(str(found.lastgroup)[1:])
        if _stands(text, found, forms[index]):
            pieces += [text[end : found.start()].lower(), chr(FIRST_MARK + index)]
            end = found.end()
    return "".join([*pieces, text[end:].lower()])
