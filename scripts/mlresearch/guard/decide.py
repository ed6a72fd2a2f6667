"""The decision on one tool call: silent, allow, ask or deny. Pure: everything from outside stands in the situation.

`allow` is for one command of our own that stands alone; it never approves anything that rides along. Under a seal a
finding denies; what can not be read counts as one. Without a program only spending and the Hub are asked about.
"""

from __future__ import annotations

from mlresearch.guard.calls import ASK, DENY, NONE, SEALED, SILENT, Call, Finding, Situation, Verdict
from mlresearch.guard.judge import Judge
from mlresearch.guard.scan import scan
from mlresearch.guard.table import table
from mlresearch.guard.unwrap import commands
from mlresearch.guard.words import ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlresearch.guard.words import Command

_HUB = ("spend", "publish", "delete")
_ORDER = (
    "form spend", "form approve", "form write", "spend", "delete", "publish", "pushes",
    "write store", "write program", "write runs", "write sealed data", "write sealed file", "write plugin",
    "write settings", "write whole", "write other", "peek", "tamper", "own", "agent", "send", "remote", "credential",
    "form read", "dynamic", "unreadable", "unknown",
)  # fmt: skip
_UNSEALED = ("form spend", "form write", *_HUB, "write store", "write runs", "write plugin", "write settings", "own")
_WAYS = {
    "write": "write under work/ or in editable_files; program.md is a person's, runs/ the package's",
    "dynamic": "write every word literally, or put the code into a file under work/",
    "unknown": "the approved program's list `programs` extends the allow-list; a person adds to it at approval",
    "unreadable": "a simpler command",
    "agent": "work in this session, or with its own subagents",
    "remote": "jobs.py submit; a person may add the program to `programs` at approval",
    "send": "hub.py upload inside output_repos",
    "own": "the package's commands",
}
_UNSTEERED = "the command alone, without a variable before it; a person sets those in their own terminal"
# agents of this plugin that only look, whatever is approved
READERS = ("ml-research:researcher", "ml-research:critic")
LONGEST_SHORT_WAY = 20_000


def decide(call: Call, situation: Situation) -> Verdict:
    """The verdict on a call; odd input of a known tool raises nothing: it counts as unreadable."""
    if call.agent in READERS:
        from mlresearch.guard import readers

        told = readers.refusal(call, situation)
        if told:
            return Verdict(DENY, told)
    known = table()["tools"]
    if call.tool in known["shell"]:
        text = call.input.get(known["shell"][call.tool])
        if not isinstance(text, str) or "\0" in text or not _is_encodable(text):
            return _unreadable("the command is no text", situation)
        return shell(text, call.cwd, situation)
    from mlresearch.guard import tools

    return _answer(tools.findings(call, situation), situation)


def _is_encodable(text: str) -> bool:
    try:
        return bool(text.encode("utf-8")) or not text
    except UnicodeEncodeError:
        return False


def shell(text: str, cwd: str, situation: Situation) -> Verdict:
    """The verdict on a shell text."""
    judge = Judge(situation)
    try:
        listed = _alone(text, cwd, situation) or commands(text, situation.known())
        judge.all(listed, cwd)
        if judge.has_own:
            return _own(text, listed, cwd, judge)
    except (ReadError, RecursionError) as error:
        return _unreadable(f"the command can not be read as a shell would: {error}", situation)
    return _answer(judge.found, situation)


def _alone(text: str, cwd: str, situation: Situation) -> list[Command] | None:
    """The commands of a call that is one of ours alone, every word literal: nothing to unwrap, which loads 4 ms."""
    # a longer text takes the long way to the same verdict: six searches through 1 MB cost 2 ms of every such call
    if len(text) > LONGEST_SHORT_WAY or not any(script in text for script in table()["own_scripts"]):
        return None
    from mlresearch.guard import alone

    written = scan(text)
    is_literal = all(word.text is not None for command in written for word in command.argv)
    return written if is_literal and alone.own_command(text, written, cwd, situation) is not None else None


def _unreadable(why: str, situation: Situation) -> Verdict:
    return _answer([Finding("unreadable", why)], situation)


def _own(text: str, listed: list[Command], cwd: str, judge: Judge) -> Verdict:
    """The verdict on a call with a command of ours in it."""
    from mlresearch.guard import alone, ours

    own = alone.own_command(text, listed, cwd, judge.situation)
    if own is None:
        name = alone.steered(listed)
        told = [Finding("form read", f"{name} may lead the command astray", _UNSTEERED)] if name else []
        return _answer(judge.found + told, judge.situation)
    rest = _answer([found for found in judge.found if not found.kind.startswith("form")], judge.situation)
    return ours.verdict(own, judge.situation) if rest.decision == SILENT else rest


def _answer(found: list[Finding], situation: Situation) -> Verdict:
    """The verdict on a list of findings: the gravest one speaks."""
    lifted = set(situation.seal.envelope.programs) if situation.seal is not None else set()
    counted = [one for one in found if _counts(one, situation.state, lifted)]
    if not counted:
        return Verdict(SILENT)
    worst = min(counted, key=lambda one: _ORDER.index(one.kind) if one.kind in _ORDER else len(_ORDER))
    asks = situation.state == NONE and worst.kind != "write store"
    return Verdict(ASK if asks else DENY, _reason(worst, situation))


def _counts(found: Finding, state: str, lifted: set[str]) -> bool:
    if state == SEALED:
        return not (found.kind in ("remote", "send") and found.what.split(" ")[0] in lifted)
    if state == NONE:
        return found.kind in (*_HUB, "form spend", "form approve", "form write", "write store", "own")
    return found.kind in _UNSEALED or found.kind in ("form approve", "peek", "write sealed data", "write whole")


def _reason(found: Finding, situation: Situation) -> str:
    kind = found.kind.split(" ")[0]
    meaning = table()["classes"].get(kind, "")
    told = f"{found.what}: {meaning}" if meaning else found.what
    if situation.state == NONE:
        return told + (", at a price that the command does not tell" if kind == "spend" else "") + _next(found.instead)
    why = "a sealed campaign does not allow this" if situation.state == SEALED else "program.md is not validly approved"
    return f"{why}: {told}" + _next(found.instead or _WAYS.get(kind, ""))


def _next(way: str) -> str:
    return f". The right way: {way}" if way else ""
