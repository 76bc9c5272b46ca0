"""Which generation of the GLM family a model is, from what its folder says.

ChatGLM-6B, ChatGLM2-6B, ChatGLM3-6B and the remote-code layout of GLM-4-9B all
call themselves `model_type: chatglm`, so their fields tell them apart. The
second and the third generation have the same fields: there the names and texts
in the folder are read (its code, if it has any, is read as text, never run).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

from instructglm.core.errors import ModelError

Family: TypeAlias = Literal["chatglm", "chatglm2", "chatglm3", "glm4_remote", "other"]
GLM_LAYOUTS: frozenset[Family] = frozenset({"chatglm2", "chatglm3", "glm4_remote"})
"""The generations whose network is transformers' own `GlmForCausalLM`."""

VERSION_FIELD = "chatglm_version"
"""A field of our own in config.json: the family in words. It outranks all other signs."""

_FIRST_FIELDS = ("inner_hidden_size", "position_encoding_2d", "gmask_token_id", "max_sequence_length")
_LATER_FIELDS = ("multi_query_group_num", "padded_vocab_size", "ffn_hidden_size", "kv_channels", "rmsnorm")
_GLM4_VOCABULARY = 100_000  # ids; ChatGLM2 and ChatGLM3 have 65,024, GLM-4 has 151,552
_LATER_PIECES = 64_789  # of sentencepiece, in ChatGLM2 and ChatGLM3
_NAMING_FIELDS = ("_name_or_path", "name_or_path", "auto_map", "tokenizer_class")
_NAMES: tuple[tuple[str, Family], ...] = (
    (r"(?:chatglm|codegeex)[-_]?2(?!\d)", "chatglm2"),
    (r"chatglm[-_]?3(?!\d)", "chatglm3"),
    (r"(?:(?<!chat)glm[-_]?|codegeex[-_]?|chatglm)4(?!\d|bit)", "glm4_remote"),
)  # but chatglm-2024 is a date, and chatglm-4bit a width
_TEXTS: tuple[tuple[str, str, Family], ...] = (
    ("tokenization_chatglm.py", r"tiktoken", "glm4_remote"),
    ("modeling_chatglm.py", r"base\s*\*\s*self\.rope_ratio", "chatglm3"),
    ("modeling_chatglm.py", r"/\s*self\.rope_ratio", "chatglm2"),
    ("tokenization_chatglm.py", r"<\|observation\|>", "chatglm3"),
    ("tokenization_chatglm.py", r"\[Round \{\}\]|def build_prompt", "chatglm2"),
)  # a file of the official code, what only one generation's has, that generation


def family_of(config: Mapping[str, Any], folder: Path | None = None) -> Family:
    """The generation of the model that this config.json describes.

    Args:
        config: The content of config.json.
        folder: Where the model lies, to look for more signs where the config has too few.

    Raises:
        ModelError: it is one of the ChatGLM generations, but nothing says which, and they compute differently.
    """
    if config.get("model_type") != "chatglm":
        return "other"
    stated = _stated(config)
    if stated:
        return stated
    if has_later_fields(config):
        return _later_family(config, folder)
    if any(field in config for field in _FIRST_FIELDS):
        return "chatglm"
    raise ModelError(
        f"{_file(folder)}: model_type is chatglm, but no field says which generation: "
        f"found neither {_FIRST_FIELDS[0]} (ChatGLM-6B) nor {_LATER_FIELDS[0]} (ChatGLM2 and later)",
        hint="Take the config.json that came with the weights.",
    )


def has_later_fields(config: Mapping[str, Any]) -> bool:
    """Whether a config of `model_type: chatglm` is of ChatGLM2 or later, without asking which."""
    return any(field in config for field in _LATER_FIELDS)


def tokenizer_family_of(config: Mapping[str, Any], folder: Path) -> Family:
    """The generation whose tokenizer and chat format belong to the model in this folder.

    A model that was converted (`model_type: glm`) keeps its generation in
    the field `chatglm_version`; a folder without config.json is known by its
    tokenizer files.

    Raises:
        ModelError: nothing tells ChatGLM2 from ChatGLM3, whose chat formats differ.
    """
    stated = _stated(config)
    if stated:
        return stated
    kind = config.get("model_type")
    if kind not in {"chatglm", None}:
        return "other"
    if (folder / "ice_text.model").exists():
        return "chatglm"
    if kind:
        family = family_of(config, folder)
        return family if family not in {"chatglm2", "chatglm3"} else _require(_told(config, folder), folder)
    told = _told(config, folder)
    ours = "ChatGLM" in str(_tokenizer_config(folder).get("tokenizer_class")) or _has_later_pieces(folder)
    return _require(told, folder) if ours else told or "other"


def _has_later_pieces(folder: Path) -> bool:
    """Whether tokenizer.model is the vocabulary of ChatGLM2 and ChatGLM3, of which no other has the size."""
    from sentencepiece import SentencePieceProcessor

    model = SentencePieceProcessor()
    try:
        model.Load(str(folder / "tokenizer.model"))
    except (OSError, RuntimeError):
        return False  # whoever reads the tokenizer says what is wrong with it
    return bool(model.get_piece_size() == _LATER_PIECES)


def _stated(config: Mapping[str, Any]) -> Family | None:
    stated = config.get(VERSION_FIELD)
    generations = get_args(Family)[:-1]
    if stated is not None and stated not in generations:
        raise ModelError(
            f"config.json: {VERSION_FIELD} is {stated!r}; expected one of {', '.join(generations)}",
            hint="Mend the field, or remove it.",
        )
    return cast("Family | None", stated)


def _later_family(config: Mapping[str, Any], folder: Path | None) -> Family:
    """The family of a config with the fields of ChatGLM2 and later."""
    vocabulary = config.get("padded_vocab_size")
    if isinstance(vocabulary, int) and vocabulary > _GLM4_VOCABULARY:
        return "glm4_remote"
    told = _told(config, folder)
    if told is None and config.get("rope_ratio", 1) == 1:
        return "chatglm3"  # the two compute alike then
    return _require(told, folder)


def _require(told: Family | None, folder: Path | None) -> Family:
    if told is not None:
        return told
    raise ModelError(
        f"{_file(folder)}: this can be ChatGLM2 or ChatGLM3, and nothing here says which; "
        "they differ in rope_ratio and in their chat format",
        hint=_say_which(folder),
    )


def _say_which(folder: Path | None) -> str:
    if folder is None or (folder / "config.json").exists():
        return f'Add the field "{VERSION_FIELD}": "chatglm2" or "chatglm3" to config.json, as the model card says.'
    return (
        "Take the config.json that came with the model; or write one that holds "
        f'{{"model_type": "chatglm", "{VERSION_FIELD}": "chatglm2"}}, or "chatglm3", as the model card says.'
    )


def _told(config: Mapping[str, Any], folder: Path | None) -> Family | None:
    """What names and texts say, the nearest to the weights first."""
    found = [_named(_names_in(config))]
    if folder is not None:
        found += [_named(_names_in(_tokenizer_config(folder))), *_families_of_code(folder), _named(folder.name)]
    return next((family for family in found if family is not None), None)


def _names_in(config: Mapping[str, Any]) -> str:
    """The fields in which a config names the model or its code."""
    return json.dumps([config.get(field) for field in _NAMING_FIELDS], default=str)


def _named(text: str) -> Family | None:
    found = [family for pattern, family in _NAMES if re.search(pattern, text, re.IGNORECASE)]
    return found[0] if len(found) == 1 else None  # a path may name two, which says nothing


def _tokenizer_config(folder: Path) -> Mapping[str, Any]:
    try:
        read = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # whoever reads the tokenizer says what is wrong with it
    return read if isinstance(read, dict) else {}


def _families_of_code(folder: Path) -> Iterable[Family]:
    return [family for file, pattern, family in _TEXTS if re.search(pattern, _text(folder / file))]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _file(folder: Path | None) -> str:
    return str(folder / "config.json") if folder is not None else "config.json"
