"""Reads out of a script's syntax tree what its full run will use: names, lengths, amounts, trackers.

A value is what the full run sees: an argument where one is given, else the default of its option, else the constant in
the code; the branch that only SMOKE=1 takes is left out. What can be known only while the script runs is RUNTIME, and
differs from everything that is known. A script that rewrites its own arguments or switches SMOKE on by itself gets no
benefit of that: its options are RUNTIME, and both branches count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mlresearch import arguments, monitoring
from mlresearch.script_facts import Script, name_of

RUNTIME = "known at run time only"

METHODS: Mapping[str, str] = {
    "SFTTrainer": "sft",
    "DPOTrainer": "dpo",
    "GRPOTrainer": "grpo",
    "KTOTrainer": "kto",
    "RewardTrainer": "reward",
    "SentenceTransformerTrainer": "embedding",
    "AutoModelForSequenceClassification": "classification",
    "AutoModelForImageClassification": "vision",
}
_MODEL_CALLS = {"from_pretrained", "SentenceTransformer", *METHODS}
_MODEL_WORDS = {"model", "model_id", "model_name", "model_name_or_path", "pretrained_model_name_or_path", "base_model"}
_DATA_WORDS = {"dataset", "dataset_id", "dataset_name", "data", "train_file", "train_dataset"}
_LENGTH_WORDS = {"max_length", "max_seq_length", "max_seq_len", "model_max_length", "block_size", "max_prompt_length"}
_AMOUNT_WORDS = {"max_samples", "num_samples", "train_samples", "max_train_samples", "limit", "subset", "fraction"}
_STEP_WORDS = {"steps", "max_steps", "num_train_epochs", "epochs", "num_epochs"}
_ADAPTER_WORDS = {"adapter", "use_peft", "lora", "use_lora", "qlora", "load_in_4bit", "lora_rank", "lora_r"}
_NO_ADAPTER = {"full", "none", "false", "0"}
_BATCH_WORDS = {"per_device_train_batch_size", "batch_size"}
_ACCUMULATION_WORDS = {"gradient_accumulation_steps", "accumulation", "grad_accum"}
_REVISION_WORDS = {"revision", "model_revision"}
# words that mean the same in any dictionary; others, such as `steps`, may count what was done
_IN_A_DICTIONARY = {*_LENGTH_WORDS, *_REVISION_WORDS, "max_steps", "num_train_epochs", "per_device_train_batch_size"}
_IN_A_DICTIONARY |= {"gradient_accumulation_steps"}
_SLICERS = {"select", "shard", "take", "skip", "head", "filter", "sample", "Subset", "train_test_split", "islice"}
_ROWS = {"data", "dataset", "train", "rows", "records", "examples", "samples", "ds", "train_dataset", "train_data"}
_BUILDERS = {"json", "csv", "parquet", "text", "arrow", "imagefolder", "audiofolder"}
_TRACKERS = {"trackio", "wandb", "tensorboard"}
_RUNS_TEXT = {"exec", "eval", "compile", "__import__"}
_DEPTH = 6


class Code(Script):
    """A script without what only a smoke run does."""

    def __init__(self, content: bytes, args: Sequence[str]) -> None:
        super().__init__(content, arguments.by_name(args), {})
        self._is_set = {name: node for _, found in self.assignments() for name, node in found.items()}
        rewritten = any(isinstance(node, ast.Attribute) and node.attr == "argv" for node in self.nodes)
        parsed = [call for call in self.calls() if name_of(call) in ("parse_args", "parse_known_args")]
        self._is_rewritten = rewritten or any(call.args or call.keywords for call in parsed)
        self._smoke = self._smoke_names()
        self.knows_smoke = bool(self._smoke)
        self.nodes = tuple(_outside_smoke(self.tree, self._smoke))
        self.called = {name for call in self.calls() for name in (name_of(call), _owner(call)) if name}
        self._defaults = _defaults(self.calls())

    def _smoke_names(self) -> set[str]:
        """Names that stand for SMOKE=1 of the environment, and for nothing else."""
        if "SMOKE" in self._is_set:
            return set()
        return {name for name, node in self._names.items() if self._asks_smoke(node)}

    def _asks_smoke(self, node: ast.expr) -> bool:
        return (
            isinstance(node, ast.Compare)
            and isinstance(node.ops[0], ast.Eq)
            and self.variable_name(node.left) == "SMOKE"
            and ast.unparse(node.comparators[0]) == "'1'"
        )

    def methods(self) -> Iterator[str]:
        """By the trainer; a model class tells only where no such trainer is called: a reward model is a classifier."""
        trainers = {METHODS[name] for name in self.called if name in METHODS and name.endswith("Trainer")}
        yield from trainers or {METHODS[name] for name in self.called if name in METHODS}

    def models(self) -> Iterator[str]:
        yield from self._options(_MODEL_WORDS)
        yield from self._texts(node for name, node in self._assigned() if name in _MODEL_WORDS)
        for call in self.calls():
            if name_of(call) in _MODEL_CALLS:
                yield from self._texts(self._first(call, _MODEL_WORDS))

    def datasets(self) -> Iterator[str]:
        yield from self._options(_DATA_WORDS)
        yield from self._texts(node for name, node in self._assigned() if name in _DATA_WORDS)
        for call in self.calls():
            if name_of(call) in {"load_dataset", "load_from_disk"}:
                found = set(self._texts(self._first(call, {"path"})))
                files = self.keywords(call).get("data_files") if found & _BUILDERS else None
                yield from found - _BUILDERS
                yield from self._texts([] if files is None else self._parts(files))

    def _parts(self, node: ast.expr) -> list[ast.expr]:
        node = self.bound(node)
        inner = node.values if isinstance(node, ast.Dict) else getattr(node, "elts", [node])
        return list(inner)

    def _first(self, call: ast.Call, words: set[str]) -> list[ast.expr]:
        return call.args[:1] or [value for name, value in self.keywords(call).items() if name in words]

    def _texts(self, nodes: Iterable[ast.expr]) -> Iterator[str]:
        """What stands for a name, where that is text: a model that was loaded elsewhere is an object, no name."""
        for node in nodes:
            yield from (value for value in self.values(node) if value != RUNTIME or isinstance(node, ast.JoinedStr))

    def _assigned(self) -> Iterator[tuple[str, ast.expr]]:
        return ((name, node) for _, found in self.assignments() for name, node in found.items())

    def lengths(self) -> Iterator[str]:
        return self._named(_LENGTH_WORDS)

    def steps(self) -> Iterator[str]:
        return self._named(_STEP_WORDS)

    def revisions(self) -> Iterator[str]:
        return self._named(_REVISION_WORDS)

    def _named(self, words: set[str]) -> Iterator[str]:
        """The values of options, keyword arguments, assignments and dictionary keys of these names."""
        yield from self._options(words)
        values = [value for name, value in self._assigned() if name in words]
        for node in self.nodes:
            found: Mapping[str, ast.expr] = {}
            if isinstance(node, ast.Call) and name_of(node) != "add_argument":
                found = self.keywords(node)
            elif isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values, strict=True)
                found = {str(key.value): value for key, value in pairs if isinstance(key, ast.Constant)}
                found = {name: value for name, value in found.items() if name in _IN_A_DICTIONARY}
            values += [value for name, value in found.items() if name in words]
        for value in values:
            yield from self.values(value) - {"None"}

    def adapters(self) -> Iterator[str]:
        told = {value.lower() for value in self._options(_ADAPTER_WORDS)}
        if "LoraConfig" not in self.called or told & _NO_ADAPTER:
            yield "full"
        else:
            yield "qlora" if "BitsAndBytesConfig" in self.called or told & {"qlora"} else "lora"

    def amounts(self) -> Iterator[str]:
        """How much of the data is used: slices, and options that limit it."""
        yield from (f"{name}={value}" for name, value in self._pairs(_AMOUNT_WORDS))
        yield from (f"{name}={ast.unparse(value)}" for name, value in self._assigned() if name in _AMOUNT_WORDS)
        for node in self.nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _is_slice(node.value):
                yield node.value
            elif _cuts(node):
                yield ast.unparse(node)

    def effective_batch(self) -> Iterator[str]:
        """Rows a step, which out of memory may not change: an option of them, else rows at once times accumulation."""
        if "micro_batch_size" in self._defaults:
            yield from self._options({"batch_size"})
            return
        batches, accumulations = [*self._named(_BATCH_WORDS)], [*self._named(_ACCUMULATION_WORDS)]
        sizes = {value for value in batches if value.isdecimal()}
        steps = {value for value in accumulations if value.isdecimal()} or {"1"}
        if len(sizes) == 1 and len(steps) == 1:
            yield str(int(sizes.pop()) * int(steps.pop()))
        elif batches:
            yield f"batch {sorted(set(batches))}, accumulation {sorted(set(accumulations))}"

    def trackers(self) -> Iterator[str]:
        """Those that see the numbers; none when all of them are off."""
        if not monitoring.is_monitored(self):
            return
        found = {_owner(call) for call in self.calls() if name_of(call) in ("init", "log")} & _TRACKERS
        for call in self.calls():
            told = self.keywords(call).get("report_to")
            for node in [] if told is None else self._parts(told):
                found |= self.values(node) & _TRACKERS
        yield from found or {"a tracker"}

    def hidden(self) -> Iterator[str]:
        names = {call.func.id for call in self.calls() if isinstance(call.func, ast.Name)}
        yield from names & _RUNS_TEXT

    def _options(self, words: set[str]) -> Iterator[str]:
        return (value for _, value in self._pairs(words))

    def _pairs(self, words: set[str]) -> Iterator[tuple[str, str]]:
        """Options of these names: the argument given, else the default where there is one."""
        for name in sorted(words):
            default = self._defaults.get(name)
            if self._is_rewritten and name in self._defaults:
                yield name, RUNTIME
            if name in self.options:
                yield name, self.options[name]
            elif default is not None:
                yield from ((name, value) for value in self.values(default) if value != "None")

    def values(self, node: ast.expr | None, depth: int = _DEPTH) -> set[str]:
        """What an expression may stand for in the full run."""
        if isinstance(node, ast.Constant):
            return {str(node.value)}
        if isinstance(node, ast.IfExp):
            return self._chosen(node, depth)
        if isinstance(node, ast.BoolOp):
            return set().union(*(self.values(part, depth) for part in node.values)) - {"None"}
        if isinstance(node, ast.Attribute) and (node.attr in self.options or node.attr in self._defaults):
            given = self.options.get(node.attr)
            return {given} if given is not None else self.values(self._defaults[node.attr], depth - 1)
        if isinstance(node, ast.Name) and node.id in self._names and depth:
            return self.values(self._names[node.id], depth - 1)
        if isinstance(node, ast.Call) and name_of(node) in ("int", "str", "float") and len(node.args) == 1:
            return self.values(node.args[0], depth)
        return {RUNTIME}

    def _chosen(self, node: ast.IfExp, depth: int) -> set[str]:
        smoke = _smoke_test(node.test, self._smoke)
        if smoke is not None:
            return self.values(node.orelse if smoke else node.body, depth)
        return self.values(node.body, depth) | self.values(node.orelse, depth)


def _outside_smoke(node: ast.AST, names: set[str]) -> Iterator[ast.AST]:
    """Every node but those that only SMOKE=1 reaches."""
    yield node
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.If | ast.IfExp):
        smoke = _smoke_test(node.test, names)
        if smoke is not None:
            kept = node.orelse if smoke else node.body
            children = kept if isinstance(kept, list) else [kept]
    for child in children:
        yield from _outside_smoke(child, names)


def _smoke_test(test: ast.expr, names: set[str]) -> bool | None:
    """True for `if SMOKE`, False for `if not SMOKE`, None for any other test."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = _smoke_test(test.operand, names)
        return None if inner is None else not inner
    return True if isinstance(test, ast.Name) and test.id in names else None


def _defaults(calls: Iterable[ast.Call]) -> dict[str, ast.expr | None]:
    """Options that the script declares, each with its default."""
    found: dict[str, ast.expr | None] = {}
    for call in calls:
        if name_of(call) == "add_argument":
            flags = [str(arg.value) for arg in call.args if isinstance(arg, ast.Constant)]
            flag = next((flag for flag in flags if flag.startswith("--")), flags[0] if flags else "")
            default = next((word.value for word in call.keywords if word.arg == "default"), None)
            found[flag.lstrip("-").replace("-", "_")] = default
    return found


def _owner(call: ast.Call) -> str:
    """`AutoModel` in `AutoModel.from_pretrained(…)`."""
    return getattr(call.func.value, "id", "") if isinstance(call.func, ast.Attribute) else ""


def _cuts(node: ast.AST) -> bool:
    """A call that takes a part, or a slice of what is called as rows are: an error's text may be cut."""
    if not (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice)):
        return isinstance(node, ast.Call) and name_of(node) in _SLICERS
    node = node.value
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
    return bool(_ROWS & (names | {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}))


def _is_slice(text: str) -> bool:
    head, bracket, rest = text.partition("[")
    return bool(bracket) and rest.endswith("]") and ":" in rest and head.isidentifier()
