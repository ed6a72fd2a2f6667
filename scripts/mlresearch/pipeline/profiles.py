"""What differs between kinds of task: which methods fit, what to adapt, how long a job may take, how it is judged.

Data alone. Which columns a method reads stands in `data_rules`; a test holds both and the templates together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

HOUR = 3600
# a small model that a template builds from a config
BUILT_IN = "tiny"


@dataclass(frozen=True)
class Profile:
    """`train` and `evaluate` name templates by method ("" for any). `minimum_s` is the least time limit of a full job.

    `skill` is the Hugging Face skill for the work, used where it is installed. `evaluates_only` and `builds_data_only`
    leave the line after the data audit.
    """

    name: str
    about: str
    methods: tuple[str, ...]
    train: Mapping[str, str] = field(default_factory=dict)
    evaluate: str | None = None
    skill: str | None = None
    minimum_s: int = HOUR // 2
    metric: str = "eval_loss"
    direction: str = "minimize"
    evaluates_only: bool = False
    builds_data_only: bool = False

    def templates(self, method: str) -> tuple[str | None, str | None]:
        """What to adapt for training or building, and for the evaluation."""
        return self.train.get(method) or self.train.get(""), self.evaluate

    @property
    def trains(self) -> bool:
        return not (self.evaluates_only or self.builds_data_only)


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            "llm",
            "a language model is trained on text, preferences or rewards",
            ("sft", "dpo", "grpo", "kto", "reward", "pretraining"),
            {
                "sft": "train_sft.py",
                "pretraining": "train_sft.py",
                "dpo": "train_dpo.py",
                "grpo": "train_grpo.py",
                "reward": "train_reward.py",
            },
            "eval_lm.py",
            "huggingface-llm-trainer",
            HOUR,
            metric="perplexity",
        ),
        Profile(
            "classification",
            "texts are sorted into classes",
            ("classification",),
            {"classification": "train_classifier.py"},
            "eval_classifier.py",
            metric="accuracy",
            direction="maximize",
        ),
        Profile(
            "vision",
            "pictures are classified, found or described",
            ("vision",),
            {"vision": "train_vision.py"},
            "eval_classifier.py",
            "huggingface-vision-trainer",
            metric="accuracy",
            direction="maximize",
        ),
        Profile(
            "embedding",
            "texts become vectors that are near when they mean the same",
            ("embedding",),
            {"embedding": "train_embedding.py"},
            "eval_embedding.py",
            metric="accuracy",
            direction="maximize",
        ),
        Profile(
            "eval",
            "a model that exists is measured; nothing is trained",
            ("eval",),
            evaluate="eval_lm.py",
            skill="huggingface-community-evals",
            minimum_s=HOUR // 6,
            evaluates_only=True,
        ),
        Profile(
            "data",
            "a data set is built or cleaned; nothing is trained",
            ("data",),
            {"": "build_dataset.py"},
            minimum_s=HOUR // 6,
            metric="rows",
            direction="maximize",
            builds_data_only=True,
        ),
        Profile(
            "other",
            "none of the others; adapt a working example that the research found",
            ("other", "sft", "classification", "vision", "embedding"),
            metric="metric",
        ),
    )
}

# by method, the words of `hf_docs.py search` that find what trains it. Not every library's documentation is one that
# --library can name: where that is not certain, the words name the library.
DOCUMENTED: Mapping[str, str] = {
    **{name: f"{name} trainer --library trl" for name in ("sft", "dpo", "grpo", "kto", "reward")},
    "pretraining": "sft trainer --library trl",
    "classification": "text classification trainer --library transformers",
    "vision": "image classification trainer --library transformers",
    "embedding": "sentence-transformers trainer",
    "eval": "QUERY --library transformers",
    "data": "QUERY --library datasets",
    "other": "QUERY",
}

# how a template of the plugin is cited
TEMPLATES = frozenset(
    f"templates/{name}" for one in PROFILES.values() for name in (*one.train.values(), one.evaluate) if name
)
