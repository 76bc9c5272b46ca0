"""The choice a written answer commits to, or None.

An answer that cannot be read is None and nothing else: a letter taken at
random, or the first capital in the text, would be a figure about the reader
and not about the model.

The reply is first reduced to a skeleton in which every mention of a choice is
one mark (`mentions`). Mentions that commit to nothing are crossed out:
alternatives ("A or B"), lists of the options, questions, conditions, and what
is denied. Of those that are left the last that is announced as the answer
wins, then one that stands alone at an end, then the only one there is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from instructglm.evaluation.commitments import BETWEEN, CROSSED, commitments, cross_all
from instructglm.evaluation.mentions import FIRST_MARK, MARK, label_form, normalise, skeleton

# --- what announces an answer --------------------------------------------------------------------------------------
_HEDGE = r"(?!.{0,60}?\b(?:could|might|may)\b)"
_NOUN = (
    r"(?:answer|choice|pick|label|sentiment|emotion|class|category|classification|prediction|verdict|decision"
    r"|response|output|result|tone|polarity|stance|conclusion|feeling|mood|topic|relation(?:ship)?|attitude|intent"
    r"|rating|judge?ment|guess|option)"
)
_NOUN_ZH = (
    r"(?:答案|选项|情感|情绪|感情|类别|类型|标签|结论|分类|判断|判定|结果|态度|立场|倾向|极性|关系|评价|主题"
    r"|预测|选择|回答|观点|语气)"
)
_LEAD = (
    r"(?:[\s()\[\]【】{},:=>→-]|the\b|an?\b|option\b|choice\b|letter\b|label\b|number\b"
    r"|definitely\b|clearly\b|probably\b|likely\b|most\b|mostly\b|very\b|quite\b|overall\b|best\b"
    r"|classified\b|described\b|as\b|that\b|one\b|of\b|选项|明显|明确|比较|偏|很|的|了|应该|显然|第)*"
)
_ANNOUNCED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b{_NOUN}\b(?:(?!\b(?:could|might|may)\b){BETWEEN}){{0,50}}?"
        rf"(?:\bis\b|\bwas\b|\bbe\b|'s\b|[:=→]|->){_LEAD}({MARK})",
        rf"\b(?:answer|pick|choose|select|go(?:ing)? with|vote for|opt for){_LEAD}({MARK})",
        rf"\bi(?:'d|'ll|'m| would| will| am)?(?:\s+\w+)?\s+"
        rf"(?:choose|pick|select|say|go|going|answer|vote|opt|lean|think|believe|guess"
        rf"|conclude|classify|label|rate|categori[sz]e|consider)\b{_HEDGE}{BETWEEN}{{0,40}}?({MARK})",
        rf"\b(?:classified|labell?ed|categori[sz]ed|considered|rated)\s+(?:as\s+)?{_LEAD}({MARK})",
        rf"\b(?:must|has to|have to|should)\s+be\b{_LEAD}({MARK})",
        rf"(?:(?<=[,.;:!\n。])|\A|\band)\s*(?:so|therefore|thus|hence|overall|ultimately"
        rf"|in conclusion|in short|finally|in the end|in summary)\b"
        rf"{_HEDGE}{BETWEEN}{{0,60}}?({MARK})",
        rf"({MARK})\)?\s*(?:option|choice|answer|label)?\s*(?:is|seems|looks|must be|would be)\s+"
        rf"(?:clearly |definitely |probably )?(?:the )?"
        rf"(?:most |only |best )*(?:correct|right|best|accurate|appropriate|answer|choice|option|true|likely)\b",
        rf"{_NOUN_ZH}(?:(?!可能|也许|或许)[^,.;?!。\n\U000f0000-\U000ffffd{CROSSED}]){{0,14}}?"
        rf"(?:是|为|:|选|属于|=|→|偏向){_LEAD}({MARK})",
        rf"(?:答案|选(?!项)择?)(?:了|定)?{_LEAD}({MARK})",
        rf"(?:我(?!不)|应该?|认为|觉得|感觉|看来|看出|属于|归为|归类为|视为|表达|表现|体现|反映|而是|才是|肯定是|必须是|倾向于?|就是|当然)"
        rf"(?:(?!可能|也许|或许)[^,.;?!。\n\U000f0000-\U000ffffd{CROSSED}]){{0,14}}?({MARK})",
        rf"(?:所以|因此|故|因而|综上(?:所述)?|总之|总的来说|总体(?:而言|上|来看)?|最终|可见|由此)"
        rf"(?:(?!可能|也许|或许){BETWEEN}){{0,30}}?({MARK})",
        rf"({MARK})\)?(?:选项|项)?(?:才|应该?|显然)?(?:是|最|为)?(?:最)?(?:正确|对的?(?=\W|$)|合适|准确|恰当|正解|符合|答案)",
    )
)
_LEANING = re.compile(
    rf"(?:\b(?:probably|(?:most|more) likely|leaning|lean towards?|presumably)\b"
    rf"|大概|多半|更像|更偏向|偏向于?|更可能|估计){_LEAD}(?:是|为)?{_LEAD}({MARK})"
)
_FIRST = re.compile(
    rf"\A[\W\s]*(?:option|choice|answer|选项|选|答)?[\s(\[【:]*({MARK})"
    rf"\s*(?:$|[.,:;)\]】!\n。—-]|\b(?:because|since|as)\b|因为|由于|的[,.。]|选项)"
)
_LAST = re.compile(rf"(?:\A|[.!?。\n:])[\s(\[【]*({MARK})[\s.!。)\]】]*\Z")
_REFUSAL = re.compile(
    r"\b(?:cannot|can't|could not|couldn't|unable|not able|don't know|do not know|not sure|unsure"
    r"|unclear|hard to|difficult to|impossible to|depends)\b"
    r"|无法|不能|不确定|不知道|不清楚|难以|说不[准好清]|很难"
)
_BUT = re.compile(r"\b(?:but|however|though|still|yet)\b|[.;]\s*(?:it's|it is|this is|that's)\b|但|不过|然而|可是")
_HEDGED = re.compile(rf"(?:\b(?:could|might|may|maybe|perhaps|possibly)\b|可能|也许|或许){BETWEEN}{{0,30}}?{MARK}")


def extract_choice(reply: str, choices: Sequence[str]) -> str | None:
    """The one of `choices` (letters, words, Chinese or English) to which `reply` commits itself.

    None where it commits to none: a refusal, a question, several choices at
    once, all of them denied.

    >>> extract_choice("选项 B 和 C 都不对, 所以选 A", ["A", "B", "C"])
    'A'
    >>> extract_choice("As a language model, I cannot decide.", ["A", "B"]) is None
    True
    """
    if bare := _bare(reply, choices):
        return bare
    text = commitments(skeleton(reply, choices))
    mark = _announced(text) or _leaning(text) or _alone(text) or _only(text)
    return choices[ord(mark) - FIRST_MARK] if mark else None


def _bare(reply: str, choices: Sequence[str]) -> str | None:
    """The choice that the whole reply is, exactly or but for case, width and outer punctuation."""
    if reply.strip() in choices:
        return reply.strip()
    if normalise(reply).endswith("?"):
        return None
    form = label_form(reply)
    return next((choice for choice in choices if form and label_form(choice) == form), None)


def _announced(text: str) -> str | None:
    """The last mention that is called the answer: a reply may correct itself."""
    found = [match for pattern in _ANNOUNCED for match in pattern.finditer(text)]
    return max(found, key=lambda match: match.start(1))[1] if found else None


def _the_one(marks: Sequence[str]) -> str | None:
    return marks[0] if len(set(marks)) == 1 else None


def _leaning(text: str) -> str | None:
    return _the_one(_LEANING.findall(text))


def _alone(text: str) -> str | None:
    """A mention that opens the reply as its answer, or is its last sentence."""
    return _the_one([found[1] for found in (_FIRST.search(text), _LAST.search(text)) if found])


def _only(text: str) -> str | None:
    """The only choice that is mentioned; after a refusal, only where a "but" takes it back."""
    refusal = _REFUSAL.search(text)
    if refusal:
        text = _HEDGED.sub(cross_all, _before(text, refusal.start()) + _after_but(text[refusal.end() :]))
    return _the_one(re.findall(MARK, text))


def _before(text: str, position: int) -> str:
    """The sentences that end before `position`."""
    ends = [found.end() for found in re.finditer(r"[.!?。\n]", text[:position])]
    return text[: ends[-1]] if ends else ""


def _after_but(text: str) -> str:
    found = _BUT.search(text)
    return text[found.end() :] if found else ""
