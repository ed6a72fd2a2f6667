"""inspect_dataset.py: what a data set holds and which training methods can use it. Writes nothing but a picture."""

from __future__ import annotations

from pathlib import Path

from mlresearch import store
from mlresearch.cli import Answer, look_up, table
from mlresearch.errors import Refused, UsageError, shown
from mlresearch.inspection import answer, picture, tokens, wording
from mlresearch.inspection.answer import Asked, Inspection
from mlresearch.inspection.audit import SplitSeen
from mlresearch.inspection.tokens import TokenCounter
from mlresearch.options import Values
from mlresearch.sources import dataset_hub

ROWS, MOST_ROWS = 10_000, 1_000_000
_PNG = b"\x89PNG\r\n\x1a\n"


def show(values: Values) -> Answer:
    asked = Asked(
        values.need("dataset"),
        values.text("config"),
        values.text("split"),
        tuple(dict.fromkeys(values.many("method"))),
        _number(values, "sample", ROWS, 1, MOST_ROWS),
        _number(values, "seed", 0, 0, 2**32 - 1),
    )
    target = _picture_path(values.text("picture"))
    found = answer.inspect(asked, _counter(values.text("tokenizer")))
    data = found.as_data()
    if target is not None:
        picture.draw(target, picture.panels([found.main, *_others(found)], found.tokens))
        data["picture"] = str(target)
    text = wording.told(data, table)
    return Answer(data, f"{text}\n\npicture: {target}" if target else text)


def _others(found: Inspection) -> list[SplitSeen]:
    return [split for split in found.splits if split is not found.main]


def _number(values: Values, key: str, usual: int, least: int, most: int) -> int:
    given = values.text(key)
    if given is None:
        return usual
    value = int(given) if given.isascii() and given.isdigit() and len(given) < 12 else -1
    if not least <= value <= most:
        raise UsageError(f"--{key} {shown(given)} is not a number of use here", f"a whole number, {least} to {most}")
    return value


def _counter(name: str | None) -> TokenCounter | None:
    """A tokenizer from a path when there is one, else from the Hub."""
    if name is None:
        return None
    path = Path(name).expanduser()
    if path.exists() or name.startswith((".", "/", "~")):
        return TokenCounter(tokens.from_path(path), name)
    return TokenCounter(tokens.from_json(dataset_hub.tokenizer_json(name), name), name)


def _picture_path(name: str | None) -> Path | None:
    """Where the picture may go: a new .png or over an old one, and inside an approved campaign only under work/."""
    if name is None:
        return None
    path = Path(name).expanduser().resolve()
    if path.suffix.lower() != ".png":
        raise UsageError(f"--picture {shown(name)} does not end in .png", "a path that does")
    if path.exists() and not (path.is_file() and path.read_bytes()[:8] == _PNG):
        raise Refused(f"{path} exists and is no PNG", "a new file, or a picture", "another path")
    for root in store.sealed_roots_above(str(path)):
        if not path.is_relative_to(Path(root).resolve() / "work"):
            raise Refused(f"{path} is inside an approved campaign", f"{root}/work/…", "a path under work/")
    return path


def run(argv: list[str] | None = None) -> int:
    return look_up("inspect_dataset.py", {"show": show}, argv)
