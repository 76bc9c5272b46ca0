"""Which mentions of a choice commit to nothing, and are crossed out.

Works on a skeleton (`mentions`), in which every mention is one mark.
Alternatives go first, then questions and conditions, then what is denied: so
that in "not A or B" the B does not outlive the A.
"""

from __future__ import annotations

import re

from instructglm.evaluation.mentions import MARK

CROSSED = "\ufffc"
"""What a crossed-out mention becomes."""
BETWEEN = r"[^.;?!。\n\U000f0000-\U000ffffd" + CROSSED + "]"
"""Any character of a sentence but a mention."""
_ANY = rf"(?:{MARK}|{CROSSED})"


_IDIOM = re.compile(  # hold a word that denies or doubts, and do neither
    r"no (?:doubt|question|hesitation|wonder|problem|mistake)(?: that)?"
    r"|without (?:a |any )?(?:doubt|hesitation|question)"
    r"|not (?:only|just|merely|simply)|nothing but|none other than|(?:couldn't|could not|can't|cannot) be more"
    r"|(?:can't|cannot) help but"
    r"|if (?:i|we|you) (?:really )?(?:had|have|must|need|was|were forced) (?:to )?"
    r"(?:choose|pick|guess|decide|answer)?"
    r"|毫无疑问|毋庸置疑|无疑|不仅仅?|不但|不过|不管怎样|不管|无论如何|不得不说?"
    r"|不可否认|不难看出|没错|没问题|不错|无非|非常|不断|不愧|未来|非但|不只|不如说?"
    r"|如果(?:非要|一定要|必须|要)我?(?:来)?选择?(?:一个)?|(?:非要|一定要|必须)选的?话?"
)
_FILL = (
    r"(?:[\s()\[\]【】:\"]|the\b|an?\b|option\b|choice\b|answer\b|letter\b|label\b|number\b|even\b|maybe\b|perhaps\b|possibly\b"
    r"|also\b|rather\b|it\b|it's\b|is\b|be\b|could\b|might\b|may\b|选项|项|也许|可能|也|是|为|的|情绪|情感)*"
)
_JOIN = r"(?:\b(?:or|and|nor|to|vs\.?|versus|through)\b|[/|&、~<>]|或者?|和|与|及|以及|还是|跟|到|至|并且?)"
_JOINED = re.compile(  # "A or B", and "A, B" where an "or C" follows
    rf"{MARK}(?:{_FILL}[,;]?{_FILL}{_JOIN}{_FILL}{MARK}"
    rf"|{_FILL},{_FILL}{MARK}(?=(?:{_FILL},{_FILL}{MARK})*{_FILL},?{_FILL}{_JOIN}))+"
)
_GAP = r"(?:[\s()\[\]【】]|the\b|an?\b|option\b|choice\b|maybe\b|perhaps\b|选项|项|也许|可能)*"
_LISTED = re.compile(rf"{MARK}(?:{_GAP}[,;\n]{_GAP}{MARK})+")
_ENUMERATOR = re.compile(rf"(?:\A|[\n,;.。])[ \t]*[(\[【]?({MARK})(?=[.):](?:\s|$|[^\W\d]))")
_QUESTION = re.compile(r"[^,.;:!?。\n]*(?:\?|吗(?=\W|\Z))")
_CONDITION = re.compile(  # and concession: what is said in either is not what is meant in the end
    r"(?:\bif\b|如果|假如|若)[^.!?。\n]*(?:\botherwise\b|\belse\b|否则)[^.!?。\n]*"
    r"|(?:\b(?:if|whether|unless|suppose|assuming|depends?"
    r"|although|though|despite|some (?:people )?(?:may|might|would|say|think))\b"
    r"|是否|是不是|如果|假如|假设|倘若|若是|要是|能否|虽然|尽管|即使|哪怕|有人)[^,.;:!?。\n]*"
)
_CLAUSE_END = (
    r"(?:[,.;:!?。\n]"
    r"|\b(?:but|so|because|since|therefore|thus|hence|while|although|though|however|yet|and|which|making)\b"
    r"|而是|但是?|所以|因此|因为|由于|可是|故|于是|从而)"
)
_DENIAL = (
    r"(?:\b(?:no|not|never|neither|nor|none|nothing|cannot|hardly|barely|without|lack(?:s|ing)?|than"
    r"|instead of|unlike|except|excluding|far from|anything but|opposite of|rul(?:e|es|ed|ing) out"
    r"|eliminat(?:e|es|ed|ing)|exclud(?:e|es|ed)|reject(?:s|ed)?"
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
    rf"(?:not\b(?!\s*{_FILL}{_ANY})|wrong\b|incorrect\b|false\b|out\b"
    rf"|ruled out|eliminated|excluded|unlikely\b|impossible\b)"
    rf"|(?:isn't|doesn't|does not|cannot|can't|won't|wasn't)\b(?!\s*{_FILL}{_ANY})"
    rf"|(?:选项|项|的|这个|答案)*[^,.;:!?。\n{CROSSED}\U000f0000-\U000ffffd]{{0,6}}?"
    rf"(?:不对|不正确|(?<![不没])错|不是(?!{_FILL}{_ANY})|不合适|不符|排除|有误"
    rf"|不成立|不恰当|不行|不选|不可能))"
)
_RUN_ON = re.compile(
    r"\n\s*(?:text|question|input|review|sentence|tweet|q|instruction|user|问题?|输入|文本|句子|用户|评论|题目)\s*\d*\s*:"
)

_ALL_BUT = re.compile(
    rf"除了?({MARK})(?:选项|项)?(?:以外|之外|外)?,?[^,.;!?。\n]{{0,8}}?(?:都|均|全)(?:是?错|不|有误)"
    rf"|\b(?:all|everything|every option|all options) (?:except|but)(?: option)? ({MARK})"
    rf" (?:is|are) (?:wrong|incorrect|false)\b"
)


def commitments(text: str) -> str:
    """The skeleton with every mention crossed out that commits to nothing."""
    text = _IDIOM.sub(" ", _without_run_on(text))
    text = _ALL_BUT.sub(lambda found: f"answer: {found[1] or found[2]}", text)
    text = _cross_list(text)
    for pattern, cross in (
        (_JOINED, _cross_if_several),
        (_QUESTION, cross_all),
        (_CONDITION, cross_all),
        (_REFUTED, cross_all),
        (_DENIED, cross_all),
        (_DENIED_ZH, cross_all),
        (_LISTED, _cross_if_several),
    ):
        text = pattern.sub(cross, text)
    return text


def _without_run_on(text: str) -> str:
    """Only the first answer, where the model goes on to ask itself the next question."""
    found = _RUN_ON.search(text)
    return text[: found.start()] if found and re.search(MARK, text[: found.start()]) else text


def cross_all(found: re.Match[str]) -> str:
    """What was found, with every mention in it crossed out."""
    return re.sub(MARK, CROSSED, found[0])


def _cross_if_several(found: re.Match[str]) -> str:
    marks = re.findall(MARK, found[0])
    return CROSSED if len(set(marks)) > 1 else str(marks[0])


def _cross_list(text: str) -> str:
    """Cross out "A. ... B. ...", where the reply only repeats the options."""
    several = len(set(_ENUMERATOR.findall(text))) > 1
    return _ENUMERATOR.sub(cross_all, text) if several else text
