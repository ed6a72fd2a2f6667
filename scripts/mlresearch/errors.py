"""The exception tree. Every message says what is wrong, what is allowed, and the next command.

ResearchError            exit 1: tried and failed
  Refused                exit 2: not tried, because it must not be
    UsageError             the call's own words
    ProgramError           program.md: every fault of the file at once
    EnvelopeBreach         outside what a person approved; ends a campaign
    SealError              no approval, or one that can not be trusted
    LedgerError            a row that can not be read or does not follow from the one before
    GateError              evidence is missing
  BackendError           a provider said no, or the machine did
  Unavailable            a source did not answer: says nothing about what it holds
    NotFound               it answered that there is no such thing
"""

from __future__ import annotations


def shown(value: object, most: int = 60) -> str:
    """A value as a message quotes it: short whatever its size, also where `repr` itself would fail."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an int of thousands of digits, or a very deep list
        text = f"({type(value).__name__})"
    return text if len(text) <= most else text[: most - 1] + "…"


class ResearchError(Exception):
    exit_code = 1

    def __init__(self, wrong: str, allowed: str = "", next_step: str = "") -> None:
        self.wrong, self.allowed, self.next_step = wrong, allowed, next_step
        super().__init__(wrong)

    def __str__(self) -> str:
        parts = [self.wrong]
        if self.allowed:
            parts.append("allowed: " + self.allowed)
        if self.next_step:
            parts.append("next: " + self.next_step)
        return " ".join("; ".join(parts).split())


class Refused(ResearchError):
    exit_code = 2


class UsageError(Refused):
    def __init__(self, wrong: str, allowed: str = "", next_step: str = "the same command with --help") -> None:
        super().__init__(wrong, allowed, next_step)


class ProgramError(Refused):
    """Holds every fault of one file, each in the file's own terms."""

    def __init__(self, faults: list[str], place: str = "program.md") -> None:
        self.faults = faults
        count = f"{len(faults)} faults" if len(faults) > 1 else "1 fault"
        told = f"{place} has {count}: " + " | ".join(faults)
        super().__init__(told, "the form of program.template.md", f"edit {place}, then program.py check")


class EnvelopeBreach(Refused):
    """`terminal` is true when the campaign must end; a full queue (max_parallel) only means wait."""

    def __init__(self, wrong: str, allowed: str = "", next_step: str = "", terminal: bool = True) -> None:
        self.terminal = terminal
        super().__init__(wrong, allowed, next_step)


class SealError(Refused):
    pass


class LedgerError(Refused):
    pass


class GateError(Refused):
    def __init__(self, wrong: str, allowed: str = "", next_step: str = "campaign.py next") -> None:
        super().__init__(wrong, allowed, next_step)


class BackendError(ResearchError):
    pass


class Unavailable(ResearchError):
    pass


class NotFound(Unavailable):
    pass
