"""Whether a script trains, whether anybody could watch it, and where its curves would go. From the syntax tree.

Owns which calls train a model and which trackers count. A tracker that is switched off does not count, and `print` is
no tracker. Refuses to guess for what would be published: a Space whose name or privacy is known at run time only is
told as such. Facts of Trackio 0.43 and transformers 5.23.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from mlresearch.script_facts import FALSE, Push, Script, name_of

# the names that transformers' report_to and accelerate's log_with take; "all" names none and may find none
TRACKERS = frozenset(
    {"aim", "azure_ml", "clearml", "comet_ml", "dagshub", "dvclive", "flyte", "mlflow", "neptune", "swanlab"}
    | {"tensorboard", "trackio", "wandb"}
)
UNKNOWN = "?"
REPORTING = ("report_to", "log_with")
SPACE_VARIABLE = "TRACKIO_SPACE_ID"
STORE_VARIABLES = ("TRACKIO_BUCKET_ID", "TRACKIO_DATASET_ID", "TRACKIO_REGISTRY_BUCKET_ID")

_TRAIN_METHODS = frozenset({"backward", "fit", "partial_fit", "train"})
_TRAIN_CALLS = frozenset({"apply_gradients", "apply_updates", "value_and_grad"})
_OPTIMIZER = re.compile(r"(?:^|_)opt(?:im(?:izer)?)?s?\d*$|optimizer", re.IGNORECASE)
# what is fitted to prepare data: no model, and done in seconds
_PREPARES = re.compile(
    r"(?:scaler|encoder|vectorizer|tokenizer|pca|imputer|normalizer|binarizer|features?|preprocess\w*)$", re.IGNORECASE
)
_LOG_CALLS = frozenset({"add_scalar", "add_scalars", "log", "log_metric", "log_metrics", "report_scalar", "track"})
_STARTS = frozenset({"Experiment", "Live", "Run", "SummaryWriter", "init", "init_run", "start", "start_run"})
_OBSERVERS = re.compile(
    r"(?:Aim|ClearML|Comet(?:ML)?|DVCLive|ML[fF]low|Neptune|SwanLab|TensorBoard|Trackio|Wan[dD][bB])\w*(?:Callback|Logger)"
)
# switches that leave a tracker silent: variable to (tracker, the values that switch it off; none: any but false)
_SILENCED = {
    "WANDB_DISABLED": ("wandb", ()),
    "WANDB_MODE": ("wandb", ("disabled", "dryrun", "offline")),
    "COMET_MODE": ("comet_ml", ("disabled", "offline")),
    "DISABLE_MLFLOW_INTEGRATION": ("mlflow", ()),
}
_SILENT_MODES = ("disabled", "dryrun", "offline")


@dataclass(frozen=True)
class Dashboard:
    """One place outside the job that would hold the curves. `repo` None: known at run time only."""

    line: int
    what: str
    repo: str | None
    is_private: bool


def trains(script: Script) -> int | None:
    """The line of the first call that trains a model; None for a script that evaluates or prepares data."""
    lines = [call.lineno for call in script.calls() if _trains(call)]
    return min(lines, default=None)


def _trains(call: ast.Call) -> bool:
    name = name_of(call)
    if name in _TRAIN_CALLS:
        return True
    if not isinstance(call.func, ast.Attribute):
        return False
    owner = _last_word(call.func.value)
    if name == "step":
        return _OPTIMIZER.search(owner) is not None
    if name == "train":  # .train(False) and .train(mode=...) switch a module's mode
        return not (_is_switch(call.args[:1]) or any(word.arg == "mode" for word in call.keywords))
    return name in _TRAIN_METHODS and not (name == "fit" and _PREPARES.search(owner))


def _is_switch(args: list[ast.expr]) -> bool:
    return any(isinstance(arg, ast.Constant) and isinstance(arg.value, bool) for arg in args)


def _last_word(node: ast.expr) -> str:
    """`optimizer` of `self.optimizer`, `StandardScaler` of `StandardScaler()`."""
    if isinstance(node, ast.Call):
        return _last_word(node.func)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def is_monitored(script: Script) -> bool:
    """True when the script hands its numbers to a tracker that is on."""
    silent = _silent(script)
    named = {name for _, name in _reported(script)} | {script.options.get(name, "") for name in REPORTING}
    started, logged = set(), set()
    for call in script.calls():
        tracker, name = _tracker_of(script, call), name_of(call)
        started |= {tracker} if tracker and name in _STARTS else set()
        logged |= {tracker or "some run"} if name in _LOG_CALLS else set()
        if _OBSERVERS.fullmatch(name) and not (silent and name.lower().startswith(tuple(silent))):
            return True
    by_hand = (logged & TRACKERS) | (started if "some run" in logged else set())
    return bool((named & TRACKERS | by_hand) - silent)


def _reported(script: Script) -> Iterator[tuple[int, str]]:
    for line, settings in script.settings():
        for name in REPORTING:
            if name in settings:
                yield from ((line, told) for told in _texts(script, settings[name]))


def _texts(script: Script, node: ast.expr) -> list[str]:
    """The names that `report_to` may be given: one, several, or either of two."""
    node = script.bound(node)
    if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return [text for part in node.elts for text in _texts(script, part)]
    if isinstance(node, ast.IfExp):
        return _texts(script, node.body) + _texts(script, node.orelse)
    value = script.value(node)
    default = _default(script, node) if value is None else None
    return _texts(script, default) if default is not None else [value] if value else []


def _default(script: Script, node: ast.expr) -> ast.expr | None:
    """The default of an option `--name` or a field `name: type = default` that `args.name` reads."""
    if not isinstance(node, ast.Attribute) or node.attr in script.options:
        return None
    given = script.option_default(node.attr)
    if given is not None:
        return given
    for field in script.nodes:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.target.id == node.attr:
            return field.value
    return None


def _tracker_of(script: Script, call: ast.Call) -> str | None:
    """The tracker whose own function is called: `trackio.log`, `t.log` after `import trackio as t`, `log` from it."""
    node: ast.expr = call.func
    words: list[str] = []
    while isinstance(node, ast.Attribute):
        words.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in script.imports:
        return None
    return next((word for word in [*script.imports[node.id].split("."), *words] if word in TRACKERS), None)


def _silent(script: Script) -> set[str]:
    """Trackers that a variable of the job or of the script, or `init(mode="disabled")`, switches off."""
    given = dict(script.environment) | _set_variables(script)
    found = set()
    for variable, (tracker, off) in _SILENCED.items():
        value = given.get(variable, "").lower()
        if value in off or (not off and value not in FALSE):
            found.add(tracker)
    for call in script.calls():
        mode = script.keywords(call).get("mode")
        if mode is not None and script.value(mode) in _SILENT_MODES:
            found |= {_tracker_of(script, call) or ""}
    return found


def _set_variables(script: Script) -> dict[str, str]:
    """Variables that the script sets for itself; a value known at run time only is UNKNOWN."""
    found: dict[str, str] = {}
    for node in script.nodes:
        pairs: list[tuple[ast.expr, ast.expr]] = []
        if isinstance(node, ast.Assign):
            places = [place for place in node.targets if isinstance(place, ast.Subscript)]
            pairs = [(place.slice, node.value) for place in places if ast.unparse(place.value).endswith("environ")]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("environ.setdefault", "putenv")):
            pairs = [(node.args[0], node.args[1])] if len(node.args) == 2 else []
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("environ.update"):
            pairs = [(ast.Constant(name), value) for name, value in script.keywords(node).items()]
            pairs += [pair for arg in node.args for pair in _pairs(script.bound(arg))]
        found |= {script.value(key) or "": script.value(value) or UNKNOWN for key, value in pairs}
    return found


def _pairs(node: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    if not isinstance(node, ast.Dict):
        return []
    return [(key, value) for key, value in zip(node.keys, node.values, strict=True) if key is not None]


def dashboards(script: Script) -> Iterator[Dashboard]:
    """Every Space, bucket or data set that Trackio would write; a Space is public unless `private=True`."""
    set_here = _set_variables(script)
    given = dict(script.environment) | set_here
    for name in STORE_VARIABLES:
        if set_here.get(name):
            yield Dashboard(1, name, _known(set_here[name]), True)
    for call in script.calls():
        if _tracker_of(script, call) == "trackio" and name_of(call) in ("freeze", "init", "sync"):
            yield from _opened(script, call, given.get(SPACE_VARIABLE))
    for line, settings in script.settings():
        yield from _configured(script, line, settings, given.get(SPACE_VARIABLE))


def _known(value: str) -> str | None:
    return None if value == UNKNOWN else value


def _opened(script: Script, call: ast.Call, inherited: str | None) -> Iterator[Dashboard]:
    """What `trackio.init`, `sync` or `freeze` writes. A static Space, the only one that `freeze` makes, is public."""
    words, what = script.keywords(call), f"trackio.{name_of(call)}()"
    position = {"init": 3, "sync": 1, "freeze": 0}[name_of(call)]
    space = words.get("space_id", call.args[position] if len(call.args) > position else None)
    is_private = name_of(call) != "freeze" and _is_true(words.get("private")) and "sdk" not in words
    if script.hides_keywords(call):
        yield Dashboard(call.lineno, f"a `**` in {what}", None, True)
    named = [] if space is None else [one for one in _branches(script, space) if not _is_absent(script, one)]
    for one in named:
        yield Dashboard(call.lineno, what, script.value(one), is_private)
    if inherited and not named:
        yield Dashboard(call.lineno, f"{what} with {SPACE_VARIABLE}", _known(inherited), is_private)
    for name in ("bucket_id", "dataset_id"):
        if name in words and not _is_absent(script, words[name]):
            yield Dashboard(call.lineno, f"{what} with {name}", script.value(words[name]), True)


def _configured(script: Script, line: int, settings: dict[str, ast.expr], inherited: str | None) -> Iterator[Dashboard]:
    """What transformers' own arguments name; its callback passes `hub_private_repo` on as `private`."""
    is_private = _is_true(settings.get("hub_private_repo"))
    for name in ("trackio_space_id", "trackio_bucket_id", "trackio_static_space_id"):
        node = settings.get(name)
        if node is not None and not _is_absent(script, node):
            kind = {"trackio_space_id": is_private, "trackio_bucket_id": True}.get(name, False)
            yield Dashboard(line, name, script.value(node), kind)
    if inherited and "report_to" in settings and "trackio" in _texts(script, settings["report_to"]):
        yield Dashboard(line, f"report_to with {SPACE_VARIABLE}", _known(inherited), is_private)


def publishes_unasked(script: Script, pushes: list[Push]) -> int | None:
    """The line of a `report_to` with Trackio in a script that pushes and does not hold the static Space back.

    transformers then makes a public Space of the metrics, beside the model, when the model is pushed.
    """
    reported = [line for line, name in _reported(script) if name in ("trackio", "all")]
    reported += [1] if script.options.get("report_to") in ("trackio", "all") else []
    by_trainer = any(push.repo == "" for push in pushes)
    by_trainer |= script.options.get("push_to_hub", "").lower() not in FALSE
    if not reported or not by_trainer:
        return None
    held = any(_holds_back(script, settings) for _, settings in script.settings())
    return None if held else reported[0]


def _holds_back(script: Script, settings: dict[str, ast.expr]) -> bool:
    """True with `trackio_static_space_id=False`, or with a Space that is named, which `dashboards` tells."""
    static, space = settings.get("trackio_static_space_id"), settings.get("trackio_space_id")
    if isinstance(static, ast.Constant) and static.value is not None:
        return True
    return space is not None and not _is_absent(script, space)


def _branches(script: Script, node: ast.expr) -> list[ast.expr]:
    """Both values of `a if x else b`."""
    node = script.bound(node)
    return [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]


def _is_absent(script: Script, node: ast.expr) -> bool:
    """Certainly no name: None, "", False, a variable that the job is not given, an option that nobody sets."""
    node = script.bound(node)
    if isinstance(node, ast.Constant):
        return not node.value
    variable = script.variable_name(node)
    if variable is not None:
        spare = node.args[1:] if isinstance(node, ast.Call) else []
        given = script.environment.get(variable) or _set_variables(script).get(variable)
        return not given and all(_is_absent(script, one) for one in spare)
    default = _default(script, node)
    return default is not None and _is_absent(script, default)


def _is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True
