"""A small library about fine-tuning language models. Titles, ids, authors and years are those of public papers; every
abstract and section is a short text of ours in the shape of a paper, so that answers can be checked against it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from fakes.papers_server.texts import TEXTS


@dataclass(frozen=True)
class Work:
    """`published_doi` is the DOI of the printed version. `forms` are the forms that its text can be had in."""

    arxiv: str
    title: str
    authors: tuple[str, ...]
    date: str
    venue: str
    abstract: str
    citations: int
    cites: tuple[str, ...] = ()
    influential: tuple[str, ...] = ()
    published_doi: str = ""
    forms: tuple[str, ...] = ("md", "html", "pdf")
    models: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    code: str = ""
    upvotes: int = 10

    @property
    def s2(self) -> str:
        return hashlib.sha1(self.arxiv.encode()).hexdigest()

    @property
    def corpus_id(self) -> int:
        return int(self.s2[:7], 16)

    @property
    def openalex(self) -> str:
        return f"W{4_000_000_000 + int(self.s2[:7], 16)}"

    @property
    def year(self) -> int:
        return int(self.date[:4])

    @property
    def sections(self) -> tuple[tuple[str, str, str], ...]:
        """Number, title and text; the first is the introduction."""
        return TEXTS.get(self.arxiv, (("1", "Introduction", self.abstract),))

    @property
    def words(self) -> str:
        return f"{self.title} {self.abstract}".lower()


LORA, QLORA, DORA, FORGETS = "2106.09685", "2305.14314", "2402.09353", "2405.09673"
FLAN, INSTRUCT, SELF, WIZARD = "2109.01652", "2203.02155", "2212.10560", "2304.12244"
LIMA, PAGASUS, NEFTUNE, ZEPHYR = "2305.11206", "2307.08701", "2310.05914", "2310.16944"
TULU, SMOL, OLD = "2411.15124", "2502.02737", "hep-th/9901001"

WORKS: tuple[Work, ...] = (
    Work(
        LORA,
        "LoRA: Low-Rank Adaptation of Large Language Models",
        ("Edward J. Hu", "Yelong Shen", "Phillip Wallis", "Zeyuan Allen-Zhu", "Weizhu Chen"),
        "2021-06-17",
        "International Conference on Learning Representations",
        "Freezes the pretrained weights of a language model and trains pairs of low-rank matrices beside them. Far "
        "fewer parameters are trained, and quality stays on par with full fine-tuning on the tasks tried.",
        9800,
        models=("example-lab/lora-roberta-base",),
        code="https://github.com/microsoft/LoRA",
        upvotes=60,
    ),
    Work(
        QLORA,
        "QLoRA: Efficient Finetuning of Quantized LLMs",
        ("Tim Dettmers", "Artidoro Pagnoni", "Ari Holtzman", "Luke Zettlemoyer"),
        "2023-05-23",
        "Neural Information Processing Systems",
        "Fine-tunes a language model whose frozen weights are kept in 4 bits, with LoRA adapters on all linear "
        "layers. One GPU of 48 GB holds a model of 65B parameters during instruction tuning.",
        3100,
        cites=(LORA, SELF, FLAN),
        influential=(LORA,),
        published_doi="10.5555/3666122.3666563",
        models=("example-lab/guanaco-7b",),
        datasets=("example-lab/oasst1-best",),
        code="https://github.com/artidoro/qlora",
        upvotes=50,
    ),
    Work(
        DORA,
        "DoRA: Weight-Decomposed Low-Rank Adaptation",
        ("Shih-Yang Liu", "Chien-Yi Wang", "Hongxu Yin", "Pavlo Molchanov"),
        "2024-02-14",
        "International Conference on Machine Learning",
        "Splits each weight into magnitude and direction and lets LoRA train the direction. Better than LoRA at the "
        "same rank on reasoning tasks, without cost at inference.",
        520,
        cites=(LORA, QLORA),
        influential=(LORA,),
        upvotes=30,
    ),
    Work(
        FORGETS,
        "LoRA Learns Less and Forgets Less",
        ("Dan Biderman", "Jacob Portes", "Jose Javier Gonzalez Ortiz", "John P. Cunningham"),
        "2024-05-15",
        "Transactions on Machine Learning Research",
        "Compares LoRA with full fine-tuning on code and mathematics. LoRA learns less at usual ranks, forgets less "
        "of the base model, and its learning rate matters most.",
        310,
        cites=(LORA, QLORA, WIZARD, LIMA),
        influential=(LORA, QLORA),
        upvotes=88,
    ),
    Work(
        FLAN,
        "Finetuned Language Models Are Zero-Shot Learners",
        ("Jason Wei", "Maarten Bosma", "Vincent Y. Zhao", "Quoc V. Le"),
        "2021-09-03",
        "International Conference on Learning Representations",
        "Instruction tuning on many data sets phrased as instructions improves zero-shot results on unseen tasks of a "
        "large model, and can hurt a small one.",
        4300,
        forms=("html", "pdf"),
        upvotes=12,
    ),
    Work(
        INSTRUCT,
        "Training language models to follow instructions with human feedback",
        ("Long Ouyang", "Jeff Wu", "Xu Jiang", "Ryan Lowe"),
        "2022-03-04",
        "Neural Information Processing Systems",
        "Supervised fine-tuning (SFT) on demonstrations, then reinforcement learning from comparisons. People prefer "
        "a 1.3B instruct model to a 175B base model.",
        11800,
        cites=(FLAN,),
        forms=("html", "pdf"),
        upvotes=25,
    ),
    Work(
        SELF,
        "Self-Instruct: Aligning Language Models with Self-Generated Instructions",
        ("Yizhong Wang", "Yeganeh Kordi", "Noah A. Smith", "Hannaneh Hajishirzi"),
        "2022-12-20",
        "Annual Meeting of the Association for Computational Linguistics",
        "A model writes its own instruction data from 175 seed tasks; after filtering, instruction tuning on 52K of "
        "them nearly reaches a model trained with human data.",
        2200,
        cites=(FLAN, INSTRUCT),
        published_doi="10.18653/v1/2023.acl-long.754",
        datasets=("example-lab/self-instruct-52k",),
        upvotes=9,
    ),
    Work(
        WIZARD,
        "WizardLM: Empowering Large Language Models to Follow Complex Instructions",
        ("Can Xu", "Qingfeng Sun", "Kai Zheng", "Daxin Jiang"),
        "2023-04-24",
        "International Conference on Learning Representations",
        "Lets a model rewrite instructions into harder ones step by step and fine-tunes on the result.",
        900,
        cites=(SELF, INSTRUCT),
        forms=("pdf",),
        upvotes=14,
    ),
    Work(
        LIMA,
        "LIMA: Less Is More for Alignment",
        ("Chunting Zhou", "Pengfei Liu", "Puxin Xu", "Omer Levy"),
        "2023-05-18",
        "Neural Information Processing Systems",
        "Supervised fine-tuning (SFT) of a 65B model on 1,000 chosen examples gives answers that people often like as "
        "much as those of much more trained models.",
        1300,
        cites=(INSTRUCT, SELF, FLAN),
        influential=(INSTRUCT,),
        datasets=("example-lab/lima-like-1k",),
        upvotes=22,
    ),
    Work(
        PAGASUS,
        "AlpaGasus: Training A Better Alpaca with Fewer Data",
        ("Lichang Chen", "Shiyang Li", "Jun Yan", "Hongxia Jin"),
        "2023-07-17",
        "International Conference on Learning Representations",
        "Grades 52K instruction examples by a model and keeps 9K; SFT on those beats SFT on all of them and is faster.",
        380,
        cites=(LIMA, SELF),
        influential=(LIMA,),
        upvotes=11,
    ),
    Work(
        NEFTUNE,
        "NEFTune: Noisy Embeddings Improve Instruction Finetuning",
        ("Neel Jain", "Ping-yeh Chiang", "Yuxin Wen", "Tom Goldstein"),
        "2023-10-09",
        "International Conference on Learning Representations",
        "Adds uniform noise to the embeddings during instruction tuning (SFT). Conversational quality rises on four "
        "data sets with no loss of knowledge.",
        140,
        cites=(WIZARD, LIMA, QLORA),
        code="https://github.com/neelsjain/NEFTune",
        upvotes=15,
    ),
    Work(
        ZEPHYR,
        "Zephyr: Direct Distillation of LM Alignment",
        ("Lewis Tunstall", "Edward Beeching", "Nathan Lambert", "Thomas Wolf"),
        "2023-10-25",
        "arXiv.org",
        "A small 7B instruct model by distilled SFT and then preference optimisation on graded answers, without any "
        "human annotation.",
        560,
        cites=(INSTRUCT, SELF, LIMA),
        influential=(SELF,),
        models=("example-lab/small-chat-7b-sft", "example-lab/small-chat-7b-dpo"),
        datasets=("example-lab/dialogues-200k",),
        code="https://github.com/huggingface/alignment-handbook",
        upvotes=120,
    ),
    Work(
        TULU,
        "Tulu 3: Pushing Frontiers in Open Language Model Post-Training",
        ("Nathan Lambert", "Jacob Morrison", "Valentina Pyatkin", "Hannaneh Hajishirzi"),
        "2024-11-22",
        "arXiv.org",
        "An open recipe of post-training: a mixture of prompts, SFT, preference tuning and reinforcement learning with "
        "verifiable rewards, with the evaluation suite and every hyperparameter.",
        410,
        cites=(INSTRUCT, LIMA, ZEPHYR, SELF, WIZARD),
        influential=(ZEPHYR, LIMA),
        models=("example-lab/open-post-8b-sft",),
        datasets=("example-lab/open-post-sft-mixture",),
        code="https://github.com/allenai/open-instruct",
        upvotes=66,
    ),
    Work(
        SMOL,
        "SmolLM2: When Smol Goes Big -- Data-Centric Training of a Small Language Model",
        ("Loubna Ben Allal", "Anton Lozhkov", "Elie Bakouch", "Thomas Wolf"),
        "2025-02-04",
        "arXiv.org",
        "A small language model of 1.7B parameters trained in stages on 11 trillion tokens, with instruct versions "
        "made by SFT on a mixture built for small models and preference tuning.",
        130,
        cites=(ZEPHYR, TULU, LIMA, SELF),
        influential=(ZEPHYR, TULU),
        models=("example-lab/small-1.7b-instruct", "example-lab/small-360m-instruct"),
        datasets=("example-lab/small-talk-mixture",),
        code="https://github.com/huggingface/smollm",
        upvotes=200,
    ),
    Work(
        OLD,
        "An invented record with an identifier of the old form",
        ("A. N. Author",),
        "1999-01-01",
        "",
        "Stands here so that identifiers of the old form are looked up too.",
        3,
        forms=("pdf",),
        upvotes=0,
    ),
)
BY_ARXIV = {work.arxiv: work for work in WORKS}


def search(text: str, most: int) -> list[Work]:
    """Works that hold at least half of the words, those with most of them first."""
    asked = [word for word in text.lower().replace("-", " ").split() if len(word) > 2]
    scored = [(sum(word in work.words for word in asked), work) for work in WORKS]
    hits = [(score, work) for score, work in scored if score and 2 * score >= len(asked)]
    return [work for _, work in sorted(hits, key=lambda hit: (-hit[0], -hit[1].citations))][:most]


def citing(work: Work) -> list[Work]:
    return [other for other in WORKS if work.arxiv in other.cites]


def find(name: str) -> Work | None:
    """By any id that one of the services uses for it."""
    return next((work for work in WORKS if name.lower() in _names(work)), None)


def _names(work: Work) -> set[str]:
    named = {work.arxiv, f"arxiv:{work.arxiv}", work.s2, work.openalex, f"corpusid:{work.corpus_id}"}
    dois = {f"10.48550/arxiv.{work.arxiv}", work.published_doi} - {""}
    return {each.lower() for each in named | {form + doi for doi in dois for form in ("doi:", "https://doi.org/", "")}}
