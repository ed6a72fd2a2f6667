"""Which columns each training method reads: pure data, for inspection, task profiles and templates.

Source: the data set formats that TRL documents (types: language modeling, prompt-completion, prompt-only, preference,
unpaired preference), the argument order of sentence-transformers' losses, and the columns that the Transformers
examples for classification, detection and captioning read. Where a trainer accepts an implicit form that its manual
advises against, only the explicit form stands here: DPO's prompt has a column of its own.

It decides nothing: `inspection.verdict` compares a data set with these rows.
"""

from __future__ import annotations

from dataclasses import dataclass

# What a column can hold, as a form asks for it.
TEXT = "text"  # a string that a model reads
CHAT = "chat"  # a list of {"role", "content", …}
TOOLS = "tools"  # a list of JSON schemas of functions, or such a list as JSON text
FLAG = "flag"  # true or false
CLASS = "class"  # a class label, an integer, or a string out of few
NUMBER = "number"  # a score
IMAGE = "image"  # a picture's bytes
IMAGES = "images"  # a list of pictures
OBJECTS = "objects"  # boxes and their categories, for one picture

KINDS = (TEXT, CHAT, TOOLS, FLAG, CLASS, NUMBER, IMAGE, IMAGES, OBJECTS)


@dataclass(frozen=True)
class Column:
    """One column of a form. `known_as` are other names under which data sets carry the same; `ends` is the role of a
    conversation's last turn."""

    name: str
    kinds: tuple[str, ...]
    known_as: tuple[str, ...] = ()
    ends: str = ""


@dataclass(frozen=True)
class Form:
    """One set of columns that a method accepts. All of `required` must be there; `optional` are used when they are."""

    name: str
    required: tuple[Column, ...]
    optional: tuple[Column, ...] = ()


@dataclass(frozen=True)
class Method:
    """`besides` is what the method needs and no data set can hold."""

    trainer: str
    forms: tuple[Form, ...]
    besides: str = ""


_INPUT_TEXT = ("content", "sentence", "document", "body", "review", "utterance", "input_text", "raw_text")
_PROMPTS = ("question", "instruction", "query", "input", "problem", "user", "human")
_ANSWERS = ("response", "answer", "output", "solution", "target", "reply", "assistant", "gpt")
_CHATS = ("conversations", "conversation", "chat", "dialog", "dialogue", "turns")
_BETTER = ("preferred", "winner", "chosen_response", "response_chosen", "accepted")
_WORSE = ("dispreferred", "loser", "rejected_response", "response_rejected")
_LABELS = ("labels", "class", "category", "target", "intent", "sentiment", "coarse_label", "fine_label")
_PICTURES = ("img", "picture", "photo", "pixel_values", "jpg", "png", "jpeg", "webp", "file_name")

_TEXT = Column("text", (TEXT,), _INPUT_TEXT)
_MESSAGES = Column("messages", (CHAT,), _CHATS, ends="assistant")
_TOOLS = Column("tools", (TOOLS,), ("functions", "available_tools"))
_PROMPT = Column("prompt", (TEXT, CHAT), (*_PROMPTS, "messages", *_CHATS), ends="user")
_COMPLETION = Column("completion", (TEXT, CHAT), _ANSWERS, ends="assistant")
_CHOSEN = Column("chosen", (TEXT, CHAT), _BETTER, ends="assistant")
_REJECTED = Column("rejected", (TEXT, CHAT), _WORSE, ends="assistant")
_LABEL = Column("label", (CLASS,), _LABELS)
_IMAGE = Column("image", (IMAGE,), _PICTURES)
_ANCHOR = Column("anchor", (TEXT,), ("query", "question", "sentence1", "premise", "text1", "sentence_A"))
_POSITIVE = Column("positive", (TEXT,), ("pos", "answer", "positive_passage", "document", "passage"))

METHODS: dict[str, Method] = {
    "pretraining": Method("language modeling on plain text", (Form("text", (_TEXT,)),)),
    "sft": Method(
        "trl.SFTTrainer",
        (
            Form("messages", (_MESSAGES,), (_TOOLS, Column("images", (IMAGES,)))),
            Form("prompt-completion", (_PROMPT, _COMPLETION), (_TOOLS,)),
            Form("text", (_TEXT,)),
        ),
    ),
    "dpo": Method("trl.DPOTrainer", (Form("preference", (_PROMPT, _CHOSEN, _REJECTED), (_TOOLS,)),)),
    "grpo": Method(
        "trl.GRPOTrainer",
        (Form("prompt-only", (_PROMPT,)),),
        besides="a reward function; it is handed every other column by name",
    ),
    "kto": Method(
        "trl.KTOTrainer",
        (
            Form(
                "unpaired-preference",
                (_PROMPT, _COMPLETION, Column("label", (FLAG,), ("desirable", "is_good", "liked", "thumbs_up"))),
            ),
        ),
    ),
    "reward": Method("trl.RewardTrainer", (Form("preference", (_CHOSEN, _REJECTED), (_PROMPT,)),)),
    "classification": Method(
        "transformers.Trainer, sequence classification",
        (
            Form("text", (_TEXT, _LABEL)),
            Form(
                "pair",
                (
                    Column("text1", (TEXT,), ("sentence1", "premise", "question1", "sentence_A")),
                    Column("text2", (TEXT,), ("sentence2", "hypothesis", "question2", "sentence_B")),
                    _LABEL,
                ),
            ),
        ),
    ),
    "embedding": Method(
        "sentence_transformers.SentenceTransformerTrainer",
        (
            Form("triplet", (_ANCHOR, _POSITIVE, Column("negative", (TEXT,), ("neg", "negative_passage")))),
            Form(
                "scored-pair",
                (
                    Column("sentence1", (TEXT,), ("text1", "sentence_A", "premise", "anchor")),
                    Column("sentence2", (TEXT,), ("text2", "sentence_B", "hypothesis", "positive")),
                    Column("score", (NUMBER, CLASS), ("label", "similarity", "similarity_score", "labels")),
                ),
            ),
            Form("pair", (_ANCHOR, _POSITIVE)),
        ),
        besides="a loss that fits the form; columns go to it in the order given here",
    ),
    "vision": Method(
        "transformers.Trainer, images",
        (
            Form("classification", (_IMAGE, _LABEL)),
            Form("detection", (_IMAGE, Column("objects", (OBJECTS,), ("annotations", "boxes")))),
            Form("captioning", (_IMAGE, Column("text", (TEXT,), ("caption", "captions", "description", "label_text")))),
        ),
    ),
}
