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

from instructglm.evaluation.mentions import FIRST_MARK, MARK, label_form, normalise, skeleton

CROSSED = "\ufffc"
_ANY = rf"(?:{MARK}|{CROSSED})"

# --- what takes a mention's commitment away ------------------------------------------------------------------------
_IDIOM = re.compile(  # hold a word that denies or doubts, and do neither
    r"no (?:doubt|question|hesitation|wonder|problem|mistake)(?: that)?|without (?:a |any )?(?:doubt|hesitation|question)"
    r"|not (?:only|just|merely|simply)|nothing but|none other than|(?:couldn't|could not|can't|cannot) be more"
    r"|(?:can't|cannot) help but|if (?:i|we|you) (?:really )?(?:had|have|must|need|was|were forced) (?:to )?(?:choose|pick|guess|decide|answer)?"
    r"|毫无疑问|毋庸置疑|无疑|不仅仅?|不但|不过|不管怎样|不管|无论如何|不得不说?|不可否认|不难看出|没错|没问题|不错|无非|非常|不断|不愧|未来|非但|不只|不如说?"
    r"|如果(?:非要|一定要|必须|要)我?(?:来)?选择?(?:一个)?|(?:非要|一定要|必须)选的?话?"
)
_FILL = (
    r"(?:[\s()\[\]【】:\"]|the\b|an?\b|option\b|choice\b|answer\b|letter\b|label\b|number\b|even\b|maybe\b|perhaps\b|possibly\b"
    r"|also\b|rather\b|it\b|it's\b|is\b|be\b|could\b|might\b|may\b|选项|项|也许|可能|也|是|为|的|情绪|情感)*"
)
_JOIN = r"(?:\b(?:or|and|nor|to|vs\.?|versus|through)\b|[/|&、~<>]|或者?|和|与|及|以及|还是|跟|到|至|并且?)"
_JOINED = re.compile(rf"{MARK}(?:{_FILL}[,;]?{_FILL}{_JOIN}{_FILL}{MARK}|{_FILL},{_FILL}{MARK}(?=(?:{_FILL},{_FILL}{MARK})*{_FILL},?{_FILL}{_JOIN}))+")
_GAP = r"(?:[\s()\[\]【】]|the\b|an?\b|option\b|choice\b|maybe\b|perhaps\b|选项|项|也许|可能)*"
_LISTED = re.compile(rf"{MARK}(?:{_GAP}[,;\n]{_GAP}{MARK})+")
_ENUMERATOR = re.compile(rf"(?:\A|[\n,;.。])[ \t]*[(\[【]?({MARK})(?=[.):](?:\s|$|[^\W\d]))")
_QUESTION = re.compile(r"[^,.;:!?。\n]*(?:\?|吗(?=\W|\Z))")
_CONDITION = re.compile(  # and concession: what is said in either is not what is meant in the end
    r"(?:\bif\b|如果|假如|若)[^.!?。\n]*(?:\botherwise\b|\belse\b|否则)[^.!?。\n]*"
    r"|(?:\b(?:if|whether|unless|suppose|assuming|depends?|although|though|despite|some (?:people )?(?:may|might|would|say|think))\b"
    r"|是否|是不是|如果|假如|假设|倘若|若是|要是|能否|虽然|尽管|即使|哪怕|有人)[^,.;:!?。\n]*"
)
_CLAUSE_END = r"(?:[,.;:!?。\n]|\b(?:but|so|because|since|therefore|thus|hence|while|although|though|however|yet|and|which|making)\b|而是|但是?|所以|因此|因为|由于|可是|故|于是|从而)"
_DENIAL = (
    r"(?:\b(?:no|not|never|neither|nor|none|nothing|cannot|hardly|barely|without|lack(?:s|ing)?|than|instead of|unlike|except"
    r"|excluding|far from|anything but|opposite of|rul(?:e|es|ed|ing) out|eliminat(?:e|es|ed|ing)|exclud(?:e|es|ed)|reject(?:s|ed)?"
    r"|doubt|wrong to|incorrect to|least|less|refuse to)\b|n't\b)"
)
_DENIED = re.compile(rf"{_DENIAL}(?:(?!{_CLAUSE_END})[^{CROSSED}\U000f0000-\U000ffffd]){{0,60}}{MARK}")
_DENIED_ZH = re.compile(
    rf"(?:不|没|非|无(?!疑)|未|排除|否定|否认|别|勿|除了?|与其|多于|大于|胜过|谈不上|称不上|算不上|难以|反对)"
    rf"(?:(?!{_CLAUSE_END})[^{CROSSED}\U000f0000-\U000ffffd]){{0,12}}{MARK}"
)
_REFUTED = re.compile(
    rf"{MARK}\)?(?:\s+(?:option|choice|answer|label|sentiment|class|one))?\s*"
    rf"(?:(?:is|are|was|seems?|looks?|can be|could be|would be)(?:\s+\w+){{0,2}}?\s+"
    rf"(?:not\b(?!\s*{_FILL}{_ANY})|wrong\b|incorrect\b|false\b|out\b|ruled out|eliminated|excluded|unlikely\b|impossible\b)"
    rf"|(?:isn't|doesn't|does not|cannot|can't|won't|wasn't)\b(?!\s*{_FILL}{_ANY})"
    rf"|(?:选项|项|的|这个|答案)*[^,.;:!?。\n{CROSSED}\U000f0000-\U000ffffd]{{0,6}}?(?:不对|不正确|(?<![不没])错|不是(?!{_FILL}{_ANY})|不合适|不符|排除|有误"
    rf"|不成立|不恰当|不行|不选|不可能))"
)
_RUN_ON = re.compile(r"\n\s*(?:text|question|input|review|sentence|tweet|q|instruction|user|问题?|输入|文本|句子|用户|评论|题目)\s*\d*\s*:")

_ALL_BUT = re.compile(
    rf"除了?({MARK})(?:选项|项)?(?:以外|之外|外)?,?[^,.;!?。\n]{{0,8}}?(?:都|均|全)(?:是?错|不|有误)"
    rf"|\b(?:all|everything|every option|all options) (?:except|but)(?: option)? ({MARK}) (?:is|are) (?:wrong|incorrect|false)\b"
)

# --- what announces an answer ------------------------------------------------------------------------------------------
_BETWEEN = r"[^.;?!。\n\U000f0000-\U000ffffd" + CROSSED + "]"
_HEDGE = r"(?!.{0,60}?\b(?:could|might|may)\b)"
_NOUN = (
    r"(?:answer|choice|pick|label|sentiment|emotion|class|category|classification|prediction|verdict|decision|response|output|result|tone"
    r"|polarity|stance|conclusion|feeling|mood|topic|relation(?:ship)?|attitude|intent|rating|judge?ment|guess|option)"
)
_NOUN_ZH = (
    r"(?:答案|选项|情感|情绪|感情|类别|类型|标签|结论|分类|判断|判定|结果|态度|立场|倾向|极性|关系|评价|主题|预测|选择|回答|观点|语气)"
)
_LEAD = (
    r"(?:[\s()\[\]【】{},:=>→-]|the\b|an?\b|option\b|choice\b|letter\b|label\b|number\b|definitely\b|clearly\b|probably\b|likely\b|most\b|mostly\b"
    r"|very\b|quite\b|overall\b|best\b|classified\b|described\b|as\b|that\b|one\b|of\b|选项|明显|明确|比较|偏|很|的|了|应该|显然|第)*"
)
_ANNOUNCED = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b{_NOUN}\b(?:(?!\b(?:could|might|may)\b){_BETWEEN}){{0,50}}?(?:\bis\b|\bwas\b|\bbe\b|'s\b|[:=→]|->){_LEAD}({MARK})",
        rf"\b(?:answer|pick|choose|select|go(?:ing)? with|vote for|opt for){_LEAD}({MARK})",
        rf"\bi(?:'d|'ll|'m| would| will| am)?(?:\s+\w+)?\s+(?:choose|pick|select|say|go|going|answer|vote|opt|lean|think|believe|guess"
        rf"|conclude|classify|label|rate|categori[sz]e|consider)\b{_HEDGE}{_BETWEEN}{{0,40}}?({MARK})",
        rf"\b(?:classified|labell?ed|categori[sz]ed|considered|rated)\s+(?:as\s+)?{_LEAD}({MARK})",
        rf"\b(?:must|has to|have to|should)\s+be\b{_LEAD}({MARK})",
        rf"(?:(?<=[,.;:!\n。])|\A|\band)\s*(?:so|therefore|thus|hence|overall|ultimately|in conclusion|in short|finally|in the end|in summary)\b"
        rf"{_HEDGE}{_BETWEEN}{{0,60}}?({MARK})",
        rf"({MARK})\)?\s*(?:option|choice|answer|label)?\s*(?:is|seems|looks|must be|would be)\s+(?:clearly |definitely |probably )?(?:the )?"
        rf"(?:most |only |best )*(?:correct|right|best|accurate|appropriate|answer|choice|option|true|likely)\b",
        rf"{_NOUN_ZH}(?:(?!可能|也许|或许)[^,.;?!。\n\U000f0000-\U000ffffd{CROSSED}]){{0,14}}?(?:是|为|:|选|属于|=|→|偏向){_LEAD}({MARK})",
        rf"(?:答案|选(?!项)择?)(?:了|定)?{_LEAD}({MARK})",
        rf"(?:我(?!不)|应该?|认为|觉得|感觉|看来|看出|属于|归为|归类为|视为|表达|表现|体现|反映|而是|才是|肯定是|必须是|倾向于?|就是|当然)"
        rf"(?:(?!可能|也许|或许)[^,.;?!。\n\U000f0000-\U000ffffd{CROSSED}]){{0,14}}?({MARK})",
        rf"(?:所以|因此|故|因而|综上(?:所述)?|总之|总的来说|总体(?:而言|上|来看)?|最终|可见|由此)"
        rf"(?:(?!可能|也许|或许){_BETWEEN}){{0,30}}?({MARK})",
        rf"({MARK})\)?(?:选项|项)?(?:才|应该?|显然)?(?:是|最|为)?(?:最)?(?:正确|对的?(?=\W|$)|合适|准确|恰当|正解|符合|答案)",
    )
)
_LEANING = re.compile(rf"(?:\b(?:probably|(?:most|more) likely|leaning|lean towards?|presumably)\b|大概|多半|更像|更偏向|偏向于?|更可能|估计){_LEAD}(?:是|为)?{_LEAD}({MARK})")
_FIRST = re.compile(
    rf"\A[\W\s]*(?:option|choice|answer|选项|选|答)?[\s(\[【:]*({MARK})\s*(?:$|[.,:;)\]】!\n。—-]|\b(?:because|since|as)\b|因为|由于|的[,.。]|选项)"
)
_LAST = re.compile(rf"(?:\A|[.!?。\n:])[\s(\[【]*({MARK})[\s.!。)\]】]*\Z")
_REFUSAL = re.compile(
    r"\b(?:cannot|can't|could not|couldn't|unable|not able|don't know|do not know|not sure|unsure|unclear|hard to|difficult to|impossible to|depends)\b"
    r"|无法|不能|不确定|不知道|不清楚|难以|说不[准好清]|很难"
)
_BUT = re.compile(r"\b(?:but|however|though|still|yet)\b|但|不过|然而|可是")
_HEDGED = re.compile(rf"(?:\b(?:could|might|may|maybe|perhaps|possibly)\b|可能|也许|或许){_BETWEEN}{{0,30}}?{MARK}")


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
    text = _committed(skeleton(reply, choices))
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


def _committed(text: str) -> str:
    """The skeleton with every mention crossed out that commits to nothing."""
    text = _IDIOM.sub(" ", _without_run_on(text))
    text = _ALL_BUT.sub(lambda found: f"answer: {found[1] or found[2]}", text)
    text = _cross_list(text)
    for pattern, cross in (
        (_JOINED, _cross_if_several), (_QUESTION, _cross_all), (_CONDITION, _cross_all), (_REFUTED, _cross_all),
        (_DENIED, _cross_all), (_DENIED_ZH, _cross_all), (_LISTED, _cross_if_several),
    ):
        text = pattern.sub(cross, text)
    return text


def _without_run_on(text: str) -> str:
    """Only the first answer, where the model goes on to ask itself the next question."""
    found = _RUN_ON.search(text)
    return text[: found.start()] if found and re.search(MARK, text[: found.start()]) else text


def _cross_all(found: re.Match[str]) -> str:
    return re.sub(MARK, CROSSED, found[0])


def _cross_if_several(found: re.Match[str]) -> str:
    marks = re.findall(MARK, found[0])
    return CROSSED if len(set(marks)) > 1 else str(marks[0])


def _cross_list(text: str) -> str:
    """Cross out "A. ... B. ...", where the reply only repeats the options."""
    several = len(set(_ENUMERATOR.findall(text))) > 1
    return _ENUMERATOR.sub(_cross_all, text) if several else text


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
        text = _HEDGED.sub(_cross_all, _before(text, refusal.start()) + _after_but(text[refusal.end() :]))
    return _the_one(re.findall(MARK, text))


def _before(text: str, position: int) -> str:
    """The sentences that end before `position`."""
    ends = [found.end() for found in re.finditer(r"[.!?。\n]", text[:position])]
    return text[: ends[-1]] if ends else ""


def _after_but(text: str) -> str:
    found = _BUT.search(text)
    return text[found.end() :] if found else ""
