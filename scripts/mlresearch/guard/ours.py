"""Our own commands in a call: which one, in which form, and whether it may run.

Shares the surface and the option reader with the commands themselves.

Only one form is ever allowed: `uv run PATH/scripts/NAME.py VERB …` alone in the call, every word literal.
"""

from __future__ import annotations

import os

from mlresearch import durations, envelope, money, options
from mlresearch.errors import ResearchError
from mlresearch.guard.calls import ALLOW, ASK, CHANGED, DENY, DRAFT, EXPIRED, NONE, SEALED, SILENT, Finding, Verdict
from mlresearch.guard.table import is_python
from mlresearch.surface import SURFACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlresearch.guard.calls import Situation
    from mlresearch.options import Values, Verb
    from mlresearch.seal import Seal

_RUNNERS = (("uv", "run"), ("uv", "run", "--quiet"), ("uv", "run", "-q"))
_UNAPPROVED = {
    DRAFT: "program.md is not approved",
    CHANGED: "program.md differs from what was approved",
    EXPIRED: "the approval has expired",
}
_APPROVE = "program.py show, then a person approves with program.py approve --digest D"


class Own:
    """One call of our own: `canonical` is the one form that may be allowed, `is_real` that it is our script's file."""

    __slots__ = ("arguments", "canonical", "is_real", "script", "verb")

    def __init__(
        self, script: str, verb: Verb | None, arguments: list[str | None], canonical: bool, is_real: bool
    ) -> None:
        self.script, self.verb, self.arguments = script, verb, arguments
        self.canonical, self.is_real = canonical, is_real

    @property
    def access(self) -> str:
        return self.verb.access if self.verb is not None else ""

    @property
    def told(self) -> str:
        return f"{self.script} {self.verb.name if self.verb else ''}".strip()


def find(words: Sequence[str | None], cwds: Sequence[str], situation: Situation) -> Own | None:
    """Our command in the words of a call, by our script's path, or by its name together with one of its verbs."""
    head = os.path.basename(words[0] or "") if words else ""
    runs_others = (head == "uv" and list(words[1:2]) == ["run"]) or is_python(head)
    for place, word in enumerate(words[: 12 if runs_others else 1]):
        if word is None or not word.endswith(".py"):
            continue
        script, rest = os.path.basename(word), list(words[place + 1 :])
        is_real = any(_is_ours(word, cwd, situation.plugin_root) for cwd in cwds)
        verbs = SURFACE.get(script, {})
        given = next((text for text in rest if text is not None and text in verbs), None)
        if not is_real and (given is None or verbs[given].access in ("read", "book")):
            return None
        canonical = tuple(words[:place]) in _RUNNERS and is_real and bool(rest) and rest[0] == given
        verb = verbs.get(given) if given else None
        return Own(script, verb, rest[1:] if canonical else rest, canonical, is_real)
    return None


def _is_ours(word: str, cwd: str, plugin_root: str) -> bool:
    if not plugin_root:
        return False
    path = os.path.realpath(os.path.join(cwd, word))
    return os.path.dirname(path) == os.path.join(os.path.realpath(plugin_root), "scripts")


def form(own: Own) -> str:
    """The allowed form, for a refusal."""
    usage = options.usage(own.verb) if own.verb else "VERB …"
    return f"alone in its call, all words literal: uv run ${{CLAUDE_PLUGIN_ROOT}}/scripts/{own.script} {usage}"


def findings(own: Own) -> list[Finding]:
    """What one of our commands means where it does not stand alone in its proper form."""
    if own.access in ("spend", "approve", "write"):
        return [Finding("form " + own.access, f"{own.told} is not alone in its call in the allowed form", form(own))]
    if own.verb is None and own.arguments and own.arguments[0] not in ("--help", "-h"):
        return [Finding("form read", f"{own.script} has no such verb", ", ".join(SURFACE.get(own.script, ())))]
    return []


def verdict(own: Own, situation: Situation) -> Verdict:
    """The answer to one of our commands that stands alone in its proper form."""
    verb = own.verb
    if verb is None:
        return Verdict(SILENT)
    if None in own.arguments:
        return Verdict(
            DENY if situation.state != NONE else ASK, f"{own.told}: a word is known at run time only; use {form(own)}"
        )
    try:
        values = options.parse(verb, [word for word in own.arguments if word is not None])
    except ResearchError as error:
        return Verdict(DENY if situation.state != NONE and own.access != "read" else SILENT, str(error))
    if own.access == "approve":
        return Verdict(ASK, _approval(own))
    if own.access == "read":
        return Verdict(SILENT if situation.state == NONE else ALLOW, f"{own.told} only looks")
    if own.access == "book":
        return Verdict(ALLOW if situation.state == SEALED else SILENT, f"{own.told} spends nothing")
    if own.access == "write":
        return _hub(own, values, situation)
    return _spend(own, values, situation)


def _approval(own: Own) -> str:
    if own.script == "program.py":
        return f"{own.told}: only a person may do this. Read program.py show first; yes makes it hold."
    if own.script == "broker.py":
        return f"{own.told}: a person starts it in their own terminal, where the token is"
    return f"{own.told} approves and runs a free campaign on this machine, in a folder that it makes"


def _spend(own: Own, values: Values, situation: Situation) -> Verdict:
    if situation.state == DRAFT and own.script == "jobs.py" and values.text("backend") == "local":
        return Verdict(SILENT, "a smoke run on this machine costs nothing, and a draft needs one")
    if situation.state in _UNAPPROVED:
        return Verdict(DENY, f"{_UNAPPROVED[situation.state]}, so {own.told} may not spend; next: {_APPROVE}")
    if situation.state == NONE:
        return _one_off(own, values, situation)
    seal = situation.seal
    spent, stopped = situation.outside.totals() if seal is not None else (None, situation.trouble)
    if seal is None or spent is None:
        return Verdict(DENY, f"{stopped or 'the approval can not be read'}; next: campaign.py verify, program.py show")
    if stopped and not _is_final(own):
        return Verdict(DENY, f"the campaign has stopped: {stopped}; next: campaign.py finalize")
    try:
        request = _request(own, values, situation, seal)
    except ResearchError as error:
        return Verdict(DENY, f"{error}; allowed form: {form(own)}")
    return _inside(own, request, situation, seal, spent)


def _inside(own: Own, request: envelope.Request, situation: Situation, seal: Seal, spent: envelope.Spent) -> Verdict:
    breaches = envelope.check(seal.envelope, spent, request, situation.now)
    left = envelope.left(seal.envelope, spent)
    if own.script == "campaign.py":
        breaches = [breach for breach in breaches if breach.terminal]
    if breaches:
        told = "; ".join(map(str, breaches))
        if any(breach.terminal for breach in breaches):
            return Verdict(
                DENY,
                f"outside the approved envelope: {told}. Left: {left}. Stop here and report: this ends the campaign",
                True,
            )
        return Verdict(DENY, f"not now: {told}. Left: {left}. Next: jobs.py wait")
    told = f"{_cost(request)}. Left before it: {left}"
    return (
        Verdict(ALLOW, told)
        if situation.outside.is_ours()
        else Verdict(ASK, f"another session runs this campaign. {told}")
    )


def _cost(request: envelope.Request) -> str:
    limit = durations.show(request.timeout_s)
    return f"at most {money.show(request.ceiling_micro)} on {request.backend} {request.flavor} for {limit}"


def _is_final(own: Own) -> bool:
    return own.script == "campaign.py" and own.verb is not None and own.verb.name == "finalize"


def _request(own: Own, values: Values, situation: Situation, seal: Seal) -> envelope.Request:
    """What the command asks of the envelope; the campaign's own submits take it from the approved program."""
    if own.script == "campaign.py":
        run = seal.program["run"]
        backend, flavor, timeout = run["backend"], run["flavor"], run["timeout"]
    else:
        _check_submit(values, seal)
        backend, flavor, timeout = values.need("backend"), values.need("flavor"), values.need("timeout")
    timeout_s = durations.parse(timeout)
    price = _price(situation, backend, flavor)
    if price is None:
        raise ResearchError(
            f"the price of {flavor} on {backend} is not known here",
            "a flavor with a price",
            f"jobs.py hardware --backend {backend}",
        )
    reserved_s = timeout_s + _start_s(backend)
    ceiling = money.job_ceiling(1, reserved_s, price)
    return envelope.Request(backend, flavor, timeout_s, reserved_s, ceiling, _is_final(own))


def _start_s(backend: str) -> int:
    return envelope.START_ALLOWANCE_S.get(backend, 0)


def _check_submit(values: Values, seal: Seal) -> None:
    if values.text("max_usd") is not None:
        raise ResearchError("--max-usd has no place under an approved program", "the program's own limits")
    space = values.text("namespace")
    owners = [pattern.split("/")[0] for pattern in seal.envelope.output_repos]
    if space is not None and space not in owners:
        raise ResearchError(f"--namespace {space} would bill another account", ", ".join(owners) or "no --namespace")


def _price(situation: Situation, backend: str, flavor: str) -> int | None:
    if backend in ("local", "slurm"):
        return 0
    return situation.outside.prices().get(backend, {}).get(flavor)


def _one_off(own: Own, values: Values, situation: Situation) -> Verdict:
    """Without a program a person answers; the question shows the most it could cost."""
    if own.script != "jobs.py":
        return Verdict(ASK, f"{own.told} starts jobs and there is no approved program.md here")
    try:
        backend, flavor = values.need("backend"), values.need("flavor")
        timeout_s = durations.parse(values.need("timeout"))
        limit = values.text("max_usd")
        cap = None if limit is None else money.to_micro(limit, "--max-usd")
    except ResearchError as error:
        return Verdict(ASK, f"submit will refuse this: {error}")
    price = _price(situation, backend, flavor)
    ceiling = None if price is None else money.job_ceiling(1, timeout_s + _start_s(backend), price)
    cost = f"at most {money.show(ceiling)}" if ceiling is not None else "price unknown here"
    if cap is not None:
        cost += f", one-off limit {money.show(cap)}"
    elif backend != "local":
        cost += ", and submit will refuse it without --max-usd"
    job = f"flavor {flavor} on {backend}, timeout {durations.show(timeout_s)}"
    return Verdict(ASK, f"submit one job: {cost}; {job}. No program is approved here, so nothing else limits it")


def _hub(own: Own, values: Values, situation: Situation) -> Verdict:
    if situation.state == NONE:
        paths = ", ".join(values.many("path"))
        return Verdict(ASK, f"{own.told} changes {values.text('repo_id')} on the Hub: {paths}")
    if situation.state in _UNAPPROVED:
        return Verdict(DENY, f"{_UNAPPROVED[situation.state]}, so {own.told} may not write; next: {_APPROVE}")
    seal = situation.seal
    repo = values.text("repo_id") or ""
    if seal is None:
        return Verdict(DENY, "the approval can not be read here; next: program.py show")
    allowed = ", ".join(seal.envelope.output_repos) or "none"
    if not envelope.repo_allowed(seal.envelope, repo):
        return Verdict(
            DENY,
            f"outside the approved envelope: output_repos: asked {repo}, allowed: {allowed}",
            True,
        )
    if "delete" in (own.verb.name if own.verb else "") and not seal.envelope.allow_deletes:
        return Verdict(DENY, "outside the approved envelope: allow_deletes: false", True)
    return Verdict(ALLOW if situation.outside.is_ours() else ASK, f"{own.told} inside output_repos")
