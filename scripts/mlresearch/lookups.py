"""The commands that look things up, as data: what `surface` takes in. None of them books, spends or writes."""

from __future__ import annotations

from mlresearch.options import Option, Verb

_PAPER = Option("PAPER", "arXiv id, DOI, Semantic Scholar or OpenAlex id, or an address of one", required=True)
_LIMIT = Option("--limit", "the most results (default 10)", "N")
_OFFSET = Option("--offset", "leave out this many first; an answer names the next one", "N")
_EDGES = (
    _PAPER,
    _LIMIT,
    _OFFSET,
    Option("--influential", "only citations that Semantic Scholar finds influential", switch=True),
    Option("--source", "without it Semantic Scholar, then OpenAlex", choices=("s2", "openalex")),
)

PAPERS: tuple[Verb, ...] = (
    Verb(
        "search",
        "read",
        "papers on a topic, each once over all sources",
        (
            Option("QUERY", "words, or arXiv's own prefixes such as ti: and au:", required=True, many=True),
            Option("--source", "one source (default all)", many=True, choices=("hf", "arxiv", "s2", "openalex")),
            _LIMIT,
        ),
    ),
    Verb("details", "read", "everything that the sources tell about one paper", (_PAPER,)),
    Verb(
        "read",
        "read",
        "a paper's table of contents, or one section's text",
        (_PAPER, Option("--section", "its number, or a part of its title; with its subsections", "S", many=True)),
    ),
    Verb("cites", "read", "papers that cite this one", _EDGES),
    Verb("references", "read", "papers that this one cites", _EDGES),
    Verb(
        "snippets",
        "read",
        "passages of full texts that answer a question",
        (
            Option("QUERY", "what to look for", required=True, many=True),
            Option("--paper", "only in this paper", "PAPER"),
            _LIMIT,
        ),
    ),
    Verb(
        "recommend",
        "read",
        "papers like some and unlike others",
        (
            Option("PAPER", "papers to be near", required=True, many=True),
            Option("--unlike", "a paper to be far from", "PAPER", many=True),
            _LIMIT,
        ),
    ),
    Verb("linked", "read", "models, data sets, spaces and collections that name a paper", (_PAPER, _LIMIT)),
    Verb(
        "trending",
        "read",
        "papers that people vote for on the Hub",
        (
            Option("--date", "of one day", "YYYY-MM-DD"),
            Option("--week", "of one week", "YYYY-Www"),
            Option("--month", "of one month", "YYYY-MM"),
            _LIMIT,
        ),
    ),
    Verb(
        "check",
        "read",
        "look every citation of a findings file up again, and every quote in its source",
        (Option("FILE", "a file in the form of findings.schema.json", required=True),),
    ),
    Verb("keys", "read", "which optional keys this machine has; never their values"),
)

HF_DOCS: tuple[Verb, ...] = (
    Verb(
        "list",
        "read",
        "libraries with documentation, or the pages of one",
        (Option("LIBRARY", "such as trl; without it the libraries"),),
    ),
    Verb(
        "search",
        "read",
        "pages and passages that answer a question",
        (
            Option("QUERY", "what to look for", required=True, many=True),
            Option("--library", "only in this library, such as trl, transformers or datasets; list names all", "L"),
            _LIMIT,
        ),
    ),
    Verb(
        "fetch",
        "read",
        "a page as Markdown; a long one as its table of contents",
        (
            Option("PAGE", "such as trl/sft_trainer, or its address", required=True),
            Option("--section", "its number, or a part of its title; with its subsections", "S"),
        ),
    ),
    Verb(
        "api",
        "read",
        "the Hub's REST API: endpoints with their parameters; without a query its tags",
        (
            Option("QUERY", "words of a path or description", many=True),
            Option("--tag", "only endpoints of this tag", "T"),
            _LIMIT,
        ),
    ),
)

_LINES = Option("--lines", "which lines, such as 40-120 or 40- (default the first 400)", "A-B")

CODE_SEARCH: tuple[Verb, ...] = (
    Verb(
        "find",
        "read",
        "files on GitHub that hold these words; with --repo and no token, files by their names",
        (
            Option("QUERY", "words or code", required=True, many=True),
            Option("--repo", "only in this repository", "OWNER/NAME"),
            Option("--language", "only this language", "L"),
            Option("--path", "only under this path", "P"),
            _LIMIT,
        ),
    ),
    Verb(
        "read",
        "read",
        "a file with line numbers, a notebook as its cells, a folder as its names",
        (
            Option("REPO", "OWNER/NAME", required=True),
            Option("PATH", "path in the repository", required=True),
            Option("--ref", "branch, tag or commit (default: the main branch)", "REF"),
            _LINES,
        ),
    ),
    Verb(
        "repos",
        "read",
        "repositories on a topic or of an owner",
        (
            Option("QUERY", "words", many=True),
            Option("--org", "an organization or a user", "OWNER"),
            Option("--sort", "default stars", choices=("stars", "updated")),
            _LIMIT,
        ),
    ),
)

# as in data_rules, which the hook does not load
_METHODS = ("pretraining", "sft", "dpo", "grpo", "kto", "reward", "classification", "embedding", "vision")

INSPECT_DATASET: tuple[Verb, ...] = (
    Verb(
        "show",
        "read",
        "layout, schema, samples, faults, distributions, and a verdict per training method",
        (
            Option(
                "--dataset",
                "id on the Hub, or a file or folder here; a folder's files are its splits",
                "ID|PATH",
                required=True,
            ),
            Option("--config", "which config (default: default, else the first)", "NAME"),
            Option("--split", "only this split (default: all, training first)", "NAME"),
            Option(
                "--method",
                "judge for this method (default all); with the code of the mapping",
                many=True,
                choices=_METHODS,
            ),
            Option("--sample", "the most rows to read per split (default 10000)", "N"),
            Option("--seed", "which rows are drawn (default 0)", "N"),
            Option("--tokenizer", "tokenizer.json, its folder or a model on the Hub, for token lengths", "PATH|ID"),
            Option("--picture", "also draw the distributions; under work/ inside a campaign", "FILE.png"),
        ),
    ),
)

INSPECT_MODEL: tuple[Verb, ...] = (
    Verb(
        "show",
        "read",
        "architecture, tokenizer, licence, memory to answer and to train, and the flavors that hold it",
        (
            Option("--model", "id on the Hub, or a folder here", "ID|PATH", required=True),
            Option("--revision", "branch, tag or commit (default the main branch)", "REV"),
            Option(
                "--method",
                "estimate memory for this (default all)",
                many=True,
                choices=("inference", "lora", "qlora", "full"),
            ),
            Option("--sequence-length", "tokens of one input (default the context, at most 2048)", "N"),
            Option("--batch", "inputs at once on one device (default 1)", "N"),
            Option("--precision", "bf16 keeps trained weights in 32 bit (default bf16)", choices=("fp32", "bf16")),
            Option(
                "--optimizer",
                "whose states are counted (default adamw)",
                choices=("adamw", "adamw_fused", "adamw_8bit", "adafactor", "sgd"),
            ),
            Option("--gradient-checkpointing", "keep only the layers' inputs", switch=True),
            Option("--lora-rank", "for lora and qlora, on all matrices (default 16)", "R"),
            Option("--loss", "chunked as TRL's trainers do (default whole)", choices=("whole", "chunked")),
            Option("--attention", "eager keeps whole score matrices (default fused)", choices=("fused", "eager")),
            Option("--backend", "whose machines and prices (default hf)", choices=("hf",)),
        ),
    ),
)
