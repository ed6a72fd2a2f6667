"""What an agent that only looks may do: read, search, and run our commands that look something up.

Holds in every state, with or without a program: the agent's description promises it, and this keeps the promise. A
look-up may write its answer under work/, so that what was seen can be checked later.
"""

from __future__ import annotations

from mlresearch.guard import alone
from mlresearch.guard.table import table
from mlresearch.guard.unwrap import commands
from mlresearch.guard.words import ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlresearch.guard.calls import Call, Situation

LOOKING = frozenset({"Read", "Glob", "Grep", "LS", "WebFetch", "WebSearch", "ToolSearch", "StructuredOutput", "Skill"})
WAY = "one look-up command alone in its call, such as papers.py or jobs.py logs, its answer under work/"


def refusal(call: Call, situation: Situation) -> str:
    """Why the call is refused; empty when it only looks."""
    if call.tool in LOOKING:
        return ""
    shell = table()["tools"]["shell"].get(call.tool)
    text = call.input.get(shell) if shell else None
    if isinstance(text, str) and _looks(text, call.cwd, situation):
        return ""
    return f"{call.agent.partition(':')[2]} only looks: {call.tool} may change something. The right way: {WAY}"


def _looks(text: str, cwd: str, situation: Situation) -> bool:
    try:
        own = alone.own_command(text, commands(text, situation.known()), cwd, situation)
    except (ReadError, RecursionError, UnicodeEncodeError):
        return False
    return own is not None and own.access == "read"
