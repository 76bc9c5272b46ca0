"""How a conversation becomes token ids: one template, used by training, evaluation and chat alike."""

from __future__ import annotations

from instructglm.core.errors import ModelError
from instructglm.data.templates.chat import ChatTemplate
from instructglm.data.templates.chatglm import ChatGLMTemplate
from instructglm.data.templates.chatglm2 import ChatGLM2Template
from instructglm.data.templates.chatglm3 import ChatGLM3Template
from instructglm.data.templates.encoded import IGNORE_INDEX, Encoded
from instructglm.data.templates.glm4 import Glm4Template
from instructglm.data.templates.plain import PlainTemplate
from instructglm.data.templates.template import Template, Tokenizer

TEMPLATES: dict[str, type[Template]] = {
    "chatglm": ChatGLMTemplate,
    "chatglm2": ChatGLM2Template,
    "chatglm3": ChatGLM3Template,
    "glm4": Glm4Template,
    "chat": ChatTemplate,
    "plain": PlainTemplate,
}
"""In the order of preference: the first that fits is used."""


def template_for(tokenizer: Tokenizer | None) -> Template:
    """The model family's template, else the chat template that the tokenizer brings, else `plain`.

    Raises:
        ModelError: there is no tokenizer, or it lacks a token that the template needs.
    """
    if tokenizer is None:
        raise ModelError(
            "this model has no tokenizer, and so no text can be read or written with it",
            hint="Put the tokenizer files of the model into its folder, beside config.json.",
        )
    return next(template for template in TEMPLATES.values() if template.fits(tokenizer))(tokenizer)


__all__ = ["IGNORE_INDEX", "TEMPLATES", "Encoded", "Template", "Tokenizer", "template_for"]
