"""What the fast tokenizers of ChatGLM2, ChatGLM3 and GLM-4 share: control tokens in front, padding on the left."""

from __future__ import annotations

import os
import shutil
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from tokenizers import AddedToken, Tokenizer, processors
from transformers.tokenization_utils_tokenizers import TokenizersBackend

from instructglm.core.errors import ModelError
from instructglm.models.tokenization.chat import ChatTokenizer
from instructglm.models.tokenization.settings import control_faults, id_faults, own_settings

_OFTEN_CHANGED = ("eos_token", "pad_token", "unk_token")  # by training frameworks, with reason


class FastChatTokenizer(ChatTokenizer, TokenizersBackend):
    """Ids, decoding and chat format of a model whose vocabulary the `tokenizers` library reads exactly.

    A text gets `[gMASK]` and `<sop>` in front, a second text follows with the end
    of sequence; padding is on the left. What is written in a text stays text,
    unless `split_special_tokens=False` asks for control tokens where it names them.

    Args:
        vocab_file: The path of `tokenizer.model`; not needed where `tokenizer_file` is given.
        tokenizer_file: The path of a saved `tokenizer.json`.
        **settings: What else tokenizer_config.json holds.

    Raises:
        ModelError: a file is damaged or belongs to another model.
    """

    vocab_files_names: ClassVar[dict[str, str]] = {
        "vocab_file": "tokenizer.model",
        "tokenizer_file": "tokenizer.json",
    }
    model_input_names: ClassVar[list[str]] = ["input_ids", "attention_mask"]
    control: ClassVar[Mapping[str, str]]
    """Each control token's name among the attributes (`user_token`, `user_token_id`) and its text."""
    added: ClassVar[tuple[str, ...]]
    """The control tokens whose ids follow the vocabulary's, in order."""

    def __init__(self, vocab_file: str | None = None, tokenizer_file: str | None = None, **settings: Any) -> None:
        settings = own_settings(settings)
        declared = settings.pop("added_tokens_decoder", {})
        _refuse(control_faults(settings, self.control, free=_OFTEN_CHANGED))
        backend = self._backend(vocab_file, tokenizer_file)
        _refuse(id_faults(declared, backend.token_to_id))
        defaults = {"padding_side": "left", "split_special_tokens": True}
        super().__init__(tokenizer_object=backend, vocab_file=vocab_file, **{**self.control, **defaults, **settings})
        self.chat_template = None  # a text could not say what the chat format says

    @classmethod
    def convert_to_native_format(cls, **settings: Any) -> dict[str, Any]:
        return settings  # `_backend` does what transformers would do here, in another way

    @staticmethod
    @abstractmethod
    def read_vocabulary(vocab_file: str) -> Tokenizer:
        """The tokenizer without control tokens that the model's own file describes."""

    def _backend(self, vocab_file: str | None, tokenizer_file: str | None) -> Tokenizer:
        if tokenizer_file is not None and os.path.isfile(tokenizer_file):
            return Tokenizer.from_file(tokenizer_file)
        if vocab_file is None:
            raise ModelError("no vocabulary: neither tokenizer.model nor tokenizer.json is given")
        tokenizer = self.read_vocabulary(vocab_file)
        tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in self.added])
        front, end = [self.control["gmask_token"], self.control["sop_token"]], self.control["eos_token"]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=[*front, "$A"],
            pair=[*front, "$A", "$B:1", f"{end}:1"],
            special_tokens=[(token, tokenizer.token_to_id(token)) for token in (*front, end)],
        )
        return tokenizer

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        """Copies `tokenizer.model`, which the official code reads, beside the saved `tokenizer.json`."""
        source = getattr(self, "vocab_file", None)
        if source is None or not Path(source).is_file():
            return ()
        target = Path(save_directory) / f"{filename_prefix or ''}{self.vocab_files_names['vocab_file']}"
        if not target.exists() or not target.samefile(source):
            shutil.copyfile(source, target)
        return (str(target),)

    def _save_pretrained(self, save_directory: str, *arguments: Any, **settings: Any) -> tuple[str, ...]:
        saved: tuple[str, ...] = super()._save_pretrained(save_directory, *arguments, **settings)
        return (*saved, *self.save_vocabulary(save_directory))


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise ModelError(*faults, hint="Take tokenizer_config.json and tokenizer.model as they came with the weights.")
