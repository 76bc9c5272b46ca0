"""The tokenizer of GLM-4 9B in its first layout, whose `tokenizer.model` is a list of base64 tokens and ranks."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

from instructglm.core.errors import ModelError
from instructglm.models.tokenization.chat import Control, Part
from instructglm.models.tokenization.conversation import Turn
from instructglm.models.tokenization.fast import FastChatTokenizer
from instructglm.models.tokenization.roles import SPEAKERS, spoken_parts

_END = "<|endoftext|>"
_MASKS = {
    "mask_token": "[MASK]",
    "gmask_token": "[gMASK]",
    "smask_token": "[sMASK]",
    "sop_token": "<sop>",
    "eop_token": "<eop>",
}
_MEDIA = ("<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>")
_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)  # what the vocabulary was made with: a fact of the model


def fast_ranks(vocab_file: str) -> Tokenizer:
    """A list of base64 tokens and ranks as a tokenizer without control tokens.

    Raises:
        ModelError: the file holds something else.
    """
    ranks = _read_ranks(Path(vocab_file))
    letters = _letters()
    spelled = {token: "".join(letters[byte] for byte in token) for token in ranks}
    merges = sorted(_merges(ranks))
    tokenizer = Tokenizer(
        models.BPE(
            {spelled[token]: rank for token, rank in ranks.items()},
            [(spelled[left], spelled[right]) for *_, left, right in merges],
            ignore_merges=True,  # a word that is a token is one, however it could be put together
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _read_ranks(path: Path) -> dict[bytes, int]:
    try:
        pairs = [line.split() for line in path.read_text(encoding="ascii").splitlines() if line]
        ranks = {base64.b64decode(token, validate=True): int(rank) for token, rank in pairs}
    except (ValueError, binascii.Error) as error:
        raise ModelError(
            f"{path}: expected lines of a base64 token and its rank, as GLM-4's first layout has them",
            hint="Fetch it anew. The tokenizer.model of ChatGLM2-6B and ChatGLM3-6B is of another kind.",
        ) from error
    if sorted(ranks.values()) != list(range(len(pairs))):
        raise ModelError(
            f"{path}: {len(pairs)} lines whose ranks are not 0 to {len(pairs) - 1}, each once",
            hint="Fetch it anew: it may be cut off.",
        )
    if missing := 256 - sum(len(token) == 1 for token in ranks):
        raise ModelError(
            f"{path}: {missing} of the 256 bytes have no token: some texts could not be written",
            hint="Fetch it anew: it may be cut off.",
        )
    return ranks


def _merges(ranks: dict[bytes, int]) -> Iterator[tuple[int, int, int, bytes, bytes]]:
    """The ways to make each token of two others, with the ranks of the three, by which they are tried."""
    for token, rank in ranks.items():
        for cut in range(1, len(token)):
            left, right = token[:cut], token[cut:]
            if left in ranks and right in ranks:
                yield rank, ranks[left], ranks[right], left, right


def _letters() -> dict[int, str]:
    """The letter that byte-level tokenizers write for each byte."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {byte: chr(256 + place) for place, byte in enumerate(hidden)}


class ChatGLM4Tokenizer(FastChatTokenizer):
    """Ids, decoding and chat format of GLM-4 9B, read from the files of its first layout.

    `<|endoftext|>` pads and ends a text; `<|user|>`, the next to speak, ends an answer.
    """

    template_name = "glm4"
    control = {"eos_token": _END, "pad_token": _END} | _MASKS | SPEAKERS
    added = (_END, *_MASKS.values(), *SPEAKERS.values(), *_MEDIA)
    read_vocabulary = staticmethod(fast_ranks)

    @property
    def stop_token_ids(self) -> list[int]:
        return [self.eos_token_id, self.user_token_id, self.observation_token_id]

    def chat_parts(
        self, turns: Sequence[Turn], *, tools: Sequence[Any] | None, add_generation_prompt: bool
    ) -> list[Part]:
        """`[gMASK]`, `<sop>`, then each message: its speaker, a line end, its text, tokenized apart.

        An answer at the end has `<|user|>` after it, as in the official fine-tuning code.
        """
        if tools or any(turn.get("tools") for turn in turns):
            raise ModelError(
                "tools are not written into the prompts of GLM-4's first layout",
                hint="Write their description into a system message, in the words the model was trained with.",
            )
        parts = spoken_parts(turns, add_generation_prompt=add_generation_prompt)
        ended = [Control("<|user|>")] if turns[-1]["role"] == "assistant" else []
        return [Control("[gMASK]"), Control("<sop>"), *parts, *ended]
