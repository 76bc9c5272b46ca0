"""What a model is asked for more instructions, and what can be used of its reply.

After Y. Wang et al., "Self-Instruct: Aligning Language Models with
Self-Generated Instructions", ACL, 2023: instructions that people wrote stand as
examples before the request for new ones. The words are ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from instructglm.core.records import Message, Record

LONGEST = 4_000  # characters of an instruction that a model may propose
_FIELDS = {"instruction", "input"}
_BETWEEN = re.compile(r"```\w*|[\s,\[\]`*-]+|\d{1,3}[.)]")  # what may stand around the objects


class Reply(Record):
    """What a model answered; `is_cut` where it was stopped for length. Tokens are None where nobody counted them."""

    text: str
    is_cut: bool = False
    num_prompt_tokens: int | None = None
    num_tokens: int | None = None


class Candidate(NamedTuple):
    """An instruction that a reply holds."""

    instruction: str
    input: str


class Unusable(NamedTuple):
    """A piece of a reply that holds none, and why: `not_json`, `cut_off`, `wrong_fields`, `blank`, `too_long`."""

    text: str
    reason: str


class Wording(NamedTuple):
    """How new instructions are asked for in one language."""

    opening: str
    request: str
    domain: str
    complexity: str
    form: str


WORDINGS: Mapping[str, Wording] = {
    "en": Wording(
        opening="These instructions were written by people to teach an assistant. Each line is one of them:",
        request=(
            "Write {number} more instructions that such people could have written.\n"
            "- Each asks for something that no line above and no other new one asks for, and asks in its own way: "
            "a question, an order, a task on a given text.\n"
            "- Each can be answered by somebody who reads nothing else, without pictures, links or programs.\n"
            "- Each is in English."
        ),
        domain="\n- Each belongs to this field: {domain}.",
        complexity="\n- How demanding each is: {complexity}.",
        form=(
            '\nAnswer with {number} lines and nothing else, each one JSON object: {{"instruction": "what to do", '
            '"input": "the text it is about; empty if there is none"}}'
        ),
    ),
    "zh": Wording(
        opening="下面每一行是一条由人编写、用来教导助手的指令：",
        request=(
            "请再写{number}条这些人也可能写出的指令。\n"
            "- 每条要求的内容都与上面各行以及其他新指令不同，表达方式也不同：提问、要求，或针对一段给定文本的任务。\n"
            "- 每条单独阅读即可作答，不依赖图片、链接或程序。\n"
            "- 每条都用中文。"
        ),
        domain="\n- 每条都属于这一领域：{domain}。",
        complexity="\n- 每条的难度：{complexity}。",
        form=(
            '\n只输出{number}行，每行一个JSON对象：{{"instruction": "要做什么", "input": "所针对的文本，没有则为空"}}'
        ),
    ),
}
"""Language -> how it is asked in. A further one is one more entry."""


def request(
    language: str, examples: Sequence[str], number: int, *, domain: str = "", complexity: str = ""
) -> tuple[Message, ...]:
    """The conversation that asks for `number` new instructions like the examples."""
    words = WORDINGS[language]
    lines = [json.dumps({"instruction": text, "input": ""}, ensure_ascii=False) for text in examples]
    asked = words.request.format(number=number)
    asked += words.domain.format(domain=domain) if domain else ""
    asked += words.complexity.format(complexity=complexity) if complexity else ""
    asked += words.form.format(number=number)
    return (Message(role="user", content="\n".join([words.opening, *lines, "", asked])),)


def read_reply(reply: Reply) -> Iterator[Candidate | Unusable]:
    """The JSON objects of a reply, each judged by itself, and whatever else it says.

    Blank space, commas, brackets, marks of lists and fences of code may stand around them.
    """
    decoder, text, place = json.JSONDecoder(), reply.text, 0
    while (start := text.find("{", place)) >= 0:
        yield from _between(text[place:start])
        try:
            value, place = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            place = _next_line(text, start)
            yield Unusable(text[start:place], "cut_off" if reply.is_cut and place == len(text) else "not_json")
        else:
            yield _judged(value, text[start:place])
    yield from _between(text[place:])


def _next_line(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _between(text: str) -> Iterator[Unusable]:
    if rest := _BETWEEN.sub("", text):
        yield Unusable(text.strip() or rest, "not_json")


def _judged(value: Any, text: str) -> Candidate | Unusable:
    if not {"instruction"} <= set(value) <= _FIELDS or not all(isinstance(one, str) for one in value.values()):
        return Unusable(text, "wrong_fields")
    found = Candidate(value["instruction"].strip(), value.get("input", "").strip())
    if not found.instruction:
        return Unusable(text, "blank")
    if len(found.instruction) + len(found.input) > LONGEST:
        return Unusable(text, "too_long")
    if not _is_text(found.instruction + found.input):
        return Unusable(text, "not_json")
    return found


def _is_text(text: str) -> bool:
    """Whether it holds no half character, which JSON can escape and no database takes."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
