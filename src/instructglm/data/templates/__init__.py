"""How a conversation becomes token ids: one template, used by training, evaluation and chat alike."""

from __future__ import annotations

from instructglm.data.templates.chat import ChatTemplate
from instructglm.data.templates.plain import PlainTemplate
from instructglm.data.templates.template import Template, Tokenizer

TEMPLATES: dict[str, type[Template]] = {"chat": ChatTemplate, "plain": PlainTemplate}


def template_for(tokenizer: Tokenizer) -> Template:
    """The model's own chat template where its tokenizer has one, else `plain`."""
    return TEMPLATES["chat" if getattr(tokenizer, "chat_template", None) else "plain"](tokenizer)


__all__ = ["TEMPLATES", "Template", "Tokenizer", "template_for"]
