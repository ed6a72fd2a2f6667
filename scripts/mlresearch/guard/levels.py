"""Where a command stands: the bracket and keyword frames open around it while a text is read."""

from __future__ import annotations

from mlresearch.guard.words import Command, ReadError

MOST_NESTED = 60  # deeper than any hand-written line, far below Python's recursion limit


class Frame:
    """A keyword construct that is open: what to restore when it closes, and which part of a ``case`` is read."""

    __slots__ = ("context", "function", "kind", "start", "state")

    def __init__(self, kind: str, level: Level) -> None:
        self.kind = kind
        self.context = level.context
        self.function = level.function
        self.start = level.start
        self.state = ""


class Level:
    """One list of commands being read: the whole text, a subshell or a substitution."""

    def __init__(self, context: tuple[str, ...], depth: int, function: str | None, out: list[Command]) -> None:
        if depth > MOST_NESTED:
            raise ReadError(f"nested deeper than {MOST_NESTED} levels")
        self.context = context
        self.depth = depth
        self.function = function
        self.frames: list[Frame] = []
        self.out = out  # every simple command, in the order read
        self.start = len(out)  # index of the first command of the list that a "&" would send to the background
        self.named: str | None = None  # a function whose body comes next
        self.pipe: Command | None = None
        self.join = ""
        self.current = Command(context, depth, function)

    def fresh(self) -> None:
        """Begin a new simple command."""
        self.current = Command(self.context, self.depth + len(self.frames), self.function)

    def deeper(self) -> int:
        """The depth of a list nested in this one at this point."""
        return self.depth + len(self.frames) + 1

    def push(self, kind: str, label: str = "") -> Frame:
        """Open a keyword construct; it becomes the body of a function whose name was just read."""
        if self.depth + len(self.frames) >= MOST_NESTED:
            raise ReadError(f"nested deeper than {MOST_NESTED} levels")
        frame = Frame(kind, self)
        self.frames.append(frame)
        self.start = len(self.out)
        self.enter_function()
        if self.pipe is not None:  # what reads from a pipe runs in a shell of its own
            self.context = (*self.context, "subshell")
        if label:
            self.context = (*self.context, label)
        self.fresh()
        return frame

    def enter_function(self) -> None:
        """Move into the body of the function whose name was just read, if any."""
        if self.named is not None:
            self.function, self.named = self.named, None
            self.context = (*self.context, "function")

    def pop(self, kind: str) -> None:
        """Close the innermost construct of this kind and those left open inside it; a stray end is ignored."""
        if not any(frame.kind == kind for frame in self.frames):
            return
        while True:
            frame = self.frames.pop()
            if frame.kind == kind:
                break
        self.context, self.function, self.start = frame.context, frame.function, frame.start
        self.pipe = None
        self.fresh()

    def label(self, context: str) -> None:
        """Add a context to the commands of the list that ends here, and begin another list."""
        for command in self.out[self.start :]:
            command.context = (*command.context, context)
        self.start = len(self.out)

    def piped_group(self) -> Command:
        """A group that writes into a pipe runs in a shell of its own, and nothing is known of what it writes."""
        self.label("subshell")
        return Command()

    def blank(self) -> bool:
        """True while the current command holds nothing, so that a reserved word would count."""
        current = self.current
        return not (current.argv or current.assigns or current.arrays or current.redirects)
