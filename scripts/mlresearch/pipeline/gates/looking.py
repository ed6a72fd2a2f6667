"""How gates look: at evidence files, at a job's log, at what the envelope says. Each fault is a sentence; none decides.

A source that does not answer is no evidence against an answer: it becomes a note, never a fault.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlresearch import gates as files
from mlresearch.errors import GateError, NotFound, SealError, Unavailable, UsageError, shown
from mlresearch.jobs import readings
from mlresearch.pipeline.profiles import BUILT_IN, TEMPLATES
from mlresearch.pipeline.task import Accept, Output, Refuse, State, Verdict, World
from mlresearch.sources.papers_record import identify

Found = Mapping[str, Any]
LARGEST_EVIDENCE = 20_000_000


@dataclass
class Look:
    """What a gate has found so far; `verdict` is to refuse when there is any fault."""

    state: State
    world: World
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    @property
    def root(self) -> str:
        return self.state.task.root

    @property
    def work(self) -> str:
        return f"work/{self.state.task.name}"

    def expect(self, holds: object, fault: str) -> None:
        if not holds:
            self.faults.append(fault)

    def verdict(self) -> Verdict:
        if self.faults:
            return Refuse(tuple(dict.fromkeys(self.faults)))
        return Accept(tuple(dict.fromkeys(self.files)), tuple(dict.fromkeys(self.notes)))

    def read(self, place: str, name: str) -> bytes | None:
        """A file under work/ that is there and not empty; else None, and a fault that names `place` in the answer."""
        try:
            path = files.inside(self.root, name)
        except GateError as error:
            self.faults.append(f"{place}: {error.wrong}")
            return None
        if not path.resolve().is_relative_to(Path(self.root).resolve() / "work"):
            self.faults.append(f"{place}: {shown(name)} is not under work/")
        elif not path.is_file():
            self.faults.append(f"{place}: {name} does not exist")
        elif not 0 < path.stat().st_size <= LARGEST_EVIDENCE:
            self.faults.append(f"{place}: {name} is empty, or larger than {LARGEST_EVIDENCE >> 20} MB")
        else:
            self.files.append(name)
            return path.read_bytes()
        return None

    def evidence(self, place: str, name: str, *wanted: str) -> str:
        """The text of an evidence file, which must hold one of `wanted`; empty when it can not be read."""
        content = self.read(place, name)
        if content is None:
            return ""
        text = told_in(content)
        known = text.lower()
        if wanted and not any(word.lower() in known for word in wanted if word):
            self.faults.append(f"{place}: {name} does not speak of {wanted[0]}")
        return text

    def sources(self, sources: Sequence[Output]) -> list[str]:
        """Each source exists and was opened; returns the texts of their evidence, in order."""
        texts = []
        for number, source in enumerate(sources):
            texts.append(self.evidence(f"sources.{number}.evidence", source["evidence"], *_names_of(source)))
            self.resolves(f"sources.{number}", source["kind"], source["id"])
        return texts

    def resolves(self, place: str, kind: str, name: str) -> None:
        try:
            exists = self.world.resolves(kind, name)
        except NotFound:
            exists = False
        except Unavailable as error:
            self.notes.append(f"{place}: {name} could not be looked up: {error.wrong}")
            return
        self.expect(exists, f"{place}: there is no {kind} {shown(name, 120)}")

    def limits(self, is_due: bool = True) -> Mapping[str, Any] | None:
        """What the envelope leaves; None before a person has approved one, and a note where one is due."""
        try:
            return self.world.left()
        except SealError as error:
            told = f"nothing is approved yet ({error.wrong}); next asks for it before the first job that may cost"
            self.notes += [told] if is_due else []
            return None


def looked_up(ask: Callable[[], Found | None]) -> tuple[Found | None, str]:
    """What there is, None for nothing, and why nothing is known where its source did not answer."""
    try:
        return ask(), ""
    except NotFound:
        return None, ""
    except Unavailable as error:
        return None, error.wrong


def told_in(content: bytes) -> str:
    """A file's text with blanks made alike; of JSON also its strings as they are meant, without escapes."""
    text = content.decode("utf-8", "replace")
    try:
        strings = list(_strings(json.loads(text)))
    except (ValueError, RecursionError):
        strings = []
    return plain("\n".join([text, *strings]))


def plain(text: str) -> str:
    return " ".join(text.split())


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)


def _names_of(source: Output) -> list[str]:
    """How evidence may spell a source: its id as given, its plain id, its address.

    A template is its own evidence; the model that one builds has no page, and any look at it serves.
    """
    if (source["kind"] == "code" and source["id"] in TEMPLATES) or is_built_in(source["kind"], source["id"]):
        return []
    names = [str(source["id"]), str(source["url"])]
    if source["kind"] == "paper":
        with suppress(UsageError):
            names.append(identify(str(source["id"])).text.removeprefix("doi:"))
    if source["kind"] == "docs":  # whatever the host: the page's own name
        names += [name.partition("/docs/")[2].partition("#")[0] for name in names if "/docs/" in name]
    return names


def is_built_in(kind: str, name: str) -> bool:
    return kind == "model" and name == BUILT_IN


def last_object(log: Iterable[str]) -> dict[str, Any]:
    """The log's last line that is a JSON object: what the script says of its end; {} when there is none."""
    for line in reversed([readings.plain(line) for line in log]):
        if line.startswith("{"):
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(found, dict):
                return found
    return {}


def alerts(log: Iterable[str]) -> list[readings.Alert]:
    return [found for line in log if (found := readings.read(line).alert) is not None]


def is_broken(log: Iterable[str]) -> bool:
    """Whether a loss in the log is no finite number."""
    return any(not math.isfinite(value) for line in log for value in readings.read(line).losses.values())


def steps_in(log: Sequence[str]) -> int:
    """Steps that were done: as the script's end tells, else the largest that a line of training tells."""
    told = last_object(log).get("steps")
    if type(told) is int:
        return told
    return max((found.step or 0 for line in log if (found := readings.read(line)).is_training), default=0)


def tail_faults(told: str, log: Sequence[str]) -> list[str]:
    """The quoted lines are the log's last, to the letter but for blanks and colours."""
    whole, end = _flat(log), _flat([told])
    return [] if end and whole.endswith(end) else ["logTail: these are not the last lines of the log"]


def _flat(texts: Iterable[str]) -> str:
    """One line; a progress bar that draws over itself is cut alike whoever quotes it."""
    return plain(" ".join(readings.plain(line) for text in texts for line in text.splitlines()))


def same(one: object, other: object) -> bool:
    """Whether two numbers agree as far as a log prints them; anything else must be equal."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-9)
    return one == other


def mentions(text: str, word: str) -> bool:
    """Whether the word stands in the text by itself, whatever its case."""
    return re.search(rf"(?<![\w.-]){re.escape(word)}(?![\w-])", text, re.I) is not None
