"""The tokenizers of the ChatGLM family, with their chat formats: official ids, and texts that stay texts."""

from __future__ import annotations

from instructglm.models.tokenization.chatglm import ChatGLMTokenizer
from instructglm.models.tokenization.chatglm2 import ChatGLM2Tokenizer
from instructglm.models.tokenization.chatglm3 import ChatGLM3Tokenizer
from instructglm.models.tokenization.glm4 import ChatGLM4Tokenizer
from instructglm.models.tokenization.loading import TOKENIZERS, tokenizer_of
from instructglm.models.tokenization.responses import process_response

__all__ = [
    "TOKENIZERS",
    "ChatGLM2Tokenizer",
    "ChatGLM3Tokenizer",
    "ChatGLM4Tokenizer",
    "ChatGLMTokenizer",
    "process_response",
    "tokenizer_of",
]
