"""The tokenizers of the presets: small vocabularies of the real kinds, learned here from the sentences below.

Both cover every text: what they have no piece for, they spell in bytes.
"""

from __future__ import annotations

import io
from pathlib import Path

TEXTS = (
    "The capital of France is Paris, and the capital of China is Beijing.",
    "Please answer the question with one word: is this review positive or negative?",
    "I liked the film because the story was good and the actors were even better.",
    "The book was too long, and nothing in it was new; I would not read it again.",
    "Write a short letter to a friend who has moved to another city.",
    "How many days does a year have? A year has 365 days, a leap year has 366.",
    "Translate the following sentence into English, and explain every word of it.",
    "He said that he would come at ten, but at eleven nobody had seen him.",
    "Water boils at 100 degrees and freezes at 0 degrees when the pressure is normal.",
    "What is the difference between a comet and an asteroid?",
    "She has three brothers and two sisters; the youngest is only four years old.",
    "Be brief. Give the answer first, and then the reason for it.",
    "First open the window, then close the door, and after that switch on the light.",
    "The price of the ticket is 12.50, which is more than I wanted to pay.",
    "A good teacher asks more questions than the pupils can answer.",
    "Summarise this text in two sentences and name the most important person in it.",
    "It has been raining since Monday, so the river is higher than it was last week.",
    "Sort these numbers from the smallest to the largest: 7, 3, 9, 1, 4.",
    "Thank you for your help! Without it we would still be looking for the mistake.",
    "When the sun had gone down, the children went home and the street was quiet.",
    "中国的首都是北京，法国的首都是巴黎。",
    "请用一个词回答：这条评论是正面的还是负面的？",
    "我喜欢这部电影，因为故事很好，演员也演得很好。",
    "这本书太长了，里面没有什么新的内容，我不会再看一遍。",
    "请给一位搬到别的城市的朋友写一封短信。",
    "一年有多少天？平年有三百六十五天，闰年有三百六十六天。",
    "请把下面的句子翻译成英文，并解释每一个词的意思。",
    "他说他十点来，可是到了十一点还没有人看见他。",
    "水在一百度的时候沸腾，在零度的时候结冰。",
    "今天天气怎么样？今天天气很好，明天可能会下雨。",
    "她有三个哥哥和两个妹妹，最小的妹妹只有四岁。",
    "请简短地回答：先给出答案，再说明理由。",
    "先打开窗户，再关上门，然后开灯。",
    "这张票的价格是十二元五角，比我想付的钱多。",
    "好老师提出的问题比学生能回答的还要多。",
    "请用两句话总结这段文字，并说出其中最重要的人物。",
    "从星期一开始一直下雨，所以河水比上个星期高。",
    "请把这些数字从小到大排列：七、三、九、一、四。",
    "谢谢你的帮助！没有你，我们现在还在找错误。",
    "你好，我是一个语言模型，我可以回答问题，也可以帮助你学习。",
)

_NUM_PIECES = 800  # of sentencepiece; of these, 95 are control tokens and whitespace, and 256 are bytes
_NUM_BYTE_TOKENS = 600  # of byte-level BPE, the 256 bytes among them
_CHATGLM_CONTROL = ["[MASK]", "[gMASK]", "[sMASK]", "<unused_0>", "<sop>", "<eop>", "<ENC>", "<dBLOCK>"]
_GLM4_MASKS = ["[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>"]
_GLM4_END = "<|endoftext|>"
_GLM4_CHAT = (
    "[gMASK]<sop>{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def write_sentencepiece(path: Path) -> None:
    """A vocabulary with the control tokens, whitespace pieces and bytes of ChatGLM-6B's `ice_text.model`."""
    import sentencepiece

    from instructglm.models.tokenization.whitespace import LONGEST_RUN, named

    blanks = [named(" " * length) for length in range(2, LONGEST_RUN + 1)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_writer=model,
        vocab_size=_NUM_PIECES,
        hard_vocab_limit=False,
        model_type="unigram",
        normalization_rule_name="nmt_nfkc",
        byte_fallback=True,
        pad_id=3,
        control_symbols=_CHATGLM_CONTROL,
        user_defined_symbols=[named("\n"), named("\t"), *blanks],
        num_threads=1,  # with more, the sums of the training depend on who was first
        minloglevel=2,
    )
    path.write_bytes(model.getvalue())


def write_byte_level(folder: Path) -> None:
    """Byte-level BPE with the control tokens and the chat format of GLM-4, as transformers saves a tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from instructglm.models.tokenization.roles import SPEAKERS

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=_NUM_BYTE_TOKENS, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.add_special_tokens([_GLM4_END, *_GLM4_MASKS, *SPEAKERS.values()])
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=_GLM4_END,
        pad_token=_GLM4_END,
        extra_special_tokens=[*_GLM4_MASKS, *SPEAKERS.values()],
        chat_template=_GLM4_CHAT,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    ).save_pretrained(folder)
