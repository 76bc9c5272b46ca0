"""The tokenizer of ChatGLM-6B, which has no other home on today's transformers.

It stays with sentencepiece and is no fast tokenizer. Its model is of the unigram
kind, which takes the best-scored split of a text, and many splits score alike:
seven "?" are "????" and "???" or the other way round, 创建了一个 is 创建了|一个 or
创建|了一个. Up to 0.2.1, sentencepiece adds the scores along the text in single
precision, where rounding often decides. The `tokenizers` library adds them in
double precision and gave other ids for 874 of 28,864 texts, prose among them;
sentencepiece itself does since 0.2.2, for 432 of 55,864 texts.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import sentencepiece
from transformers.tokenization_utils_sentencepiece import SentencePieceBackend

from instructglm.core.errors import ModelError
from instructglm.models.old_ids import NEW_REVISION, OLD_IDS, OLD_VOCABULARY
from instructglm.models.tokenization.chat import ChatTokenizer, Control, Part
from instructglm.models.tokenization.conversation import Turn
from instructglm.models.tokenization.responses import process_response
from instructglm.models.tokenization.rounds import numbered, talk
from instructglm.models.tokenization.settings import control_faults, id_faults, own_settings
from instructglm.models.tokenization.whitespace import named, restored

_CONTROL = {
    "bos_token": "<sop>",
    "eos_token": "<eop>",
    "unk_token": "<unk>",
    "pad_token": "<pad>",
    "mask_token": "[MASK]",
    "gmask_token": "[gMASK]",
    "smask_token": "[sMASK]",
    "end_token": "</s>",
}
_FOUND_IN_TEXT = ("bos_token", "eos_token", "unk_token", "pad_token", "mask_token")
_FETCH = f"Fetch anew the tokenizer files of {NEW_REVISION}."
_LAST_EQUAL = (0, 2, 1)


class ChatGLMTokenizer(ChatTokenizer, SentencePieceBackend):
    """Ids, decoding and chat format of ChatGLM-6B, equal to the official code's.

    A text gets `[gMASK]` and `<sop>` at its end, a second text follows with
    `<eop>`; padding is on the left. What is written in a text stays text. With
    `split_special_tokens=False` it is as in the official code: `<sop>`, `<eop>`,
    `[MASK]`, `<pad>` and `<unk>` become control tokens, together with the
    whitespace around them (`[gMASK]` does not).

    The vocabulary normalises: full-width letters and punctuation become
    half-width, a single blank at either end is lost. Decoding never shows
    control tokens, and by default removes blanks before punctuation
    (`clean_up_tokenization_spaces=False` keeps them).

    Args:
        vocab_file: The path of `ice_text.model`.
        **settings: What else tokenizer_config.json holds.

    Raises:
        ModelError: the vocabulary is of another model, or of ChatGLM-6B before 2023-04-06.
    """

    vocab_files_names: ClassVar[dict[str, str]] = {"vocab_file": "ice_text.model"}
    model_input_names: ClassVar[list[str]] = ["input_ids", "attention_mask"]
    template_name = "chatglm"

    def __init__(self, vocab_file: str, **settings: Any) -> None:
        settings = own_settings(settings)
        declared = settings.pop("added_tokens_decoder", {})
        _refuse(_setting_faults(settings))
        _warn_of_other_ids()
        defaults = {"padding_side": "left", "clean_up_tokenization_spaces": True, "split_special_tokens": True}
        try:
            super().__init__(vocab_file=vocab_file, **{**_CONTROL, **defaults, **settings})
        except (OSError, RuntimeError) as error:
            raise ModelError(f"{vocab_file}: this is not a sentencepiece model", hint=_FETCH) from error
        self.chat_template = None  # a text could not say what the chat format says
        _refuse(id_faults(declared, self.sp_model.piece_to_id))

    def _add_tokens(self, new_tokens: Sequence[Any], special_tokens: bool = False) -> int:
        """Marks control tokens of the vocabulary, which cannot grow: its ids are the rows of the model."""
        missing = [str(token) for token in new_tokens if not self._is_control(str(token))]
        if missing:
            raise ModelError(
                f"{self.vocab_file}: the vocabulary has no control token {', '.join(missing)}, and cannot be extended",
                hint=f"{_FETCH} Later generations: `instructglm.models.load_tokenizer` finds their tokenizers.",
            )
        return int(super()._add_tokens(new_tokens, special_tokens=special_tokens))

    def _is_control(self, token: str) -> bool:
        piece = self.sp_model.piece_to_id(token)
        return bool(self.sp_model.is_control(piece)) or self.sp_model.id_to_piece(piece) == token == self.unk_token

    @cached_property
    def _spoken_control(self) -> re.Pattern[str]:
        tokens = "|".join(re.escape(str(getattr(self, name))) for name in _FOUND_IN_TEXT)
        return re.compile(rf"\s*({tokens})\s*")

    @property
    def sop_token_id(self) -> int:
        """The id of `<sop>`, after which an answer begins."""
        return int(self.bos_token_id)

    @property
    def eop_token_id(self) -> int:
        """The id of `<eop>`, which ends an answer."""
        return int(self.eos_token_id)

    @property
    def stop_token_ids(self) -> list[int]:
        return [self.eop_token_id]

    def tokenize(self, text: str, *, split_special_tokens: bool | None = None, **ignored: Any) -> list[str]:
        """The pieces of a text; with `split_special_tokens=False`, control tokens where the text names them."""
        split = self.split_special_tokens if split_special_tokens is None else split_special_tokens
        if split:
            return self._tokenize(text)
        parts = self._spoken_control.split(text)
        return [piece for place, part in enumerate(parts) for piece in ([part] if place % 2 else self._tokenize(part))]

    def _tokenize(self, text: str, **ignored: Any) -> list[str]:
        return list(self.sp_model.encode(named(text), out_type=str))

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return restored(self.sp_model.decode_pieces(tokens))

    def _decode(
        self,
        token_ids: int | list[int],
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **ignored: Any,
    ) -> str:
        hidden = {getattr(self, f"{name}_id") for name in (_FOUND_IN_TEXT if skip_special_tokens else ("pad_token",))}
        ids = [token_ids] if isinstance(token_ids, int) else token_ids
        # The embedding has more rows than the vocabulary has pieces; a model may well answer with one of them.
        text = restored(self.sp_model.decode([int(i) for i in ids if i not in hidden and 0 <= i < self.vocab_size]))
        clean = clean_up_tokenization_spaces
        clean = self.clean_up_tokenization_spaces if clean is None else clean
        return str(self.clean_up_tokenization(text)) if clean else text

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """The ids with `[gMASK]` and `<sop>` after them; those of an answer follow, with `<eop>`."""
        context = [*token_ids_0, self.gmask_token_id, self.bos_token_id]
        return context if token_ids_1 is None else [*context, *token_ids_1, self.eos_token_id]

    def get_special_tokens_mask(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None, already_has_special_tokens: bool = False
    ) -> list[int]:
        """1 at the ids that `build_inputs_with_special_tokens` adds."""
        if already_has_special_tokens:
            return [int(token in self.all_special_ids) for token in token_ids_0]
        context = [*[0] * len(token_ids_0), 1, 1]
        return context if token_ids_1 is None else [*context, *[0] * len(token_ids_1), 1]

    def chat_parts(
        self, turns: Sequence[Turn], *, tools: Sequence[Any] | None, add_generation_prompt: bool
    ) -> list[Part]:
        """The bare question, or rounds numbered from 0; then `[gMASK]`, `<sop>`, and an answer with `<eop>`.

        A system message, which the model does not know, stands before the first question.
        """
        if tools:
            raise ModelError("ChatGLM-6B knows no tools", hint="Describe them in the question, or use ChatGLM3-6B.")
        texts = talk(turns, add_generation_prompt=add_generation_prompt)
        if len(texts) % 2 == 0:
            return [*_asked(texts[:-1]), texts[-1], Control("<eop>")]
        return _asked(texts) if add_generation_prompt else [_prompt(texts)]

    def process_response(self, text: str) -> str:
        """An answer as the official chat shows it: full-width punctuation beside Han characters."""
        return process_response(text)


def _asked(texts: Sequence[str]) -> list[Part]:
    """What asks for an answer to the last of the texts."""
    return [_prompt(texts, mark_answer=True), Control("[gMASK]"), Control("<sop>")]


def _prompt(texts: Sequence[str], *, mark_answer: bool = False) -> str:
    """A single question as it is; a longer talk as rounds, at the end of which an answer may be called for."""
    return texts[0] if len(texts) == 1 else numbered([*texts, ""] if mark_answer else texts, first=0, gap="\n")


def _setting_faults(settings: Mapping[str, Any]) -> list[str]:
    """What belongs to another model than today's ChatGLM-6B."""
    faults = control_faults(settings, _CONTROL)
    if settings.get("num_image_tokens"):
        faults.append(
            f"tokenizer_config.json: num_image_tokens is {settings['num_image_tokens']}: this is the vocabulary of "
            f"{OLD_VOCABULARY} ids from before 2023-04-06, where {OLD_IDS}"
        )
    return faults + [
        f"tokenizer_config.json: {name} is true, which no ChatGLM-6B was trained with"
        for name in ("do_lower_case", "remove_space")
        if settings.get(name)
    ]


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise ModelError(*faults, hint=_FETCH)


def _warn_of_other_ids() -> None:
    version = tuple(int(part) for part in re.findall(r"\d+", sentencepiece.__version__)[:3])
    if version > _LAST_EQUAL:
        warnings.warn(
            f"sentencepiece {sentencepiece.__version__} splits some texts otherwise than ChatGLM-6B was trained with; "
            "install sentencepiece 0.2.1",
            stacklevel=3,
        )
