"""What ChatGLM2-6B and ChatGLM3-6B share: one sentencepiece vocabulary, read by a fast tokenizer."""

from __future__ import annotations

from typing import Any, ClassVar

from instructglm.models.tokenization.bpe import fast_bpe, text_of
from instructglm.models.tokenization.fast import FastChatTokenizer

CONTROL = {
    "unk_token": "<unk>",
    "pad_token": "<unk>",
    "eos_token": "</s>",
    "mask_token": "[MASK]",
    "gmask_token": "[gMASK]",
    "smask_token": "[sMASK]",
    "sop_token": "sop",
    "eop_token": "eop",
}
ADDED = ("[MASK]", "[gMASK]", "[sMASK]", "sop", "eop")


class PieceTokenizer(FastChatTokenizer):
    """Reads a sentencepiece model of the BPE kind, and decodes as sentencepiece does.

    `</s>` (2) ends an answer and `<unk>` (0) pads; there is no begin of sequence.
    """

    read_vocabulary = staticmethod(fast_bpe)
    never_skipped: ClassVar[frozenset[str]] = frozenset()
    """Control tokens that `skip_special_tokens` leaves in a text, as the official code does."""

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return text_of(tokens)

    def _decode(
        self,
        token_ids: int | list[int],
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **ignored: Any,
    ) -> str:
        ids = [token_ids] if isinstance(token_ids, int) else token_ids
        # The embedding has more rows than there are tokens; a model may well answer with one of them.
        tokens = self.convert_ids_to_tokens([i for i in ids if 0 <= i < len(self)])
        if skip_special_tokens:
            skipped = set(self.all_special_tokens) - self.never_skipped
            tokens = [token for token in tokens if token not in skipped]
        text = text_of(tokens)
        clean = clean_up_tokenization_spaces
        clean = self.clean_up_tokenization_spaces if clean is None else clean
        return str(self.clean_up_tokenization(text)) if clean else text
