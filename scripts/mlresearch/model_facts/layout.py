"""Which of a place's files are the model, and of what kind it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from mlresearch.errors import NotFound
from mlresearch.model_facts.place import Place, json_of, table_of

TRANSFORMERS, ADAPTER, SENTENCES, GGUF = "transformers", "adapter", "sentence-transformers", "gguf"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True)
class Layout:
    """`config` is the model's own, `adapter` an adapter's. `weights` are the safetensors files that belong together."""

    kind: str
    folder: str
    config: Mapping[str, Any]
    adapter: Mapping[str, Any]
    weights: tuple[str, ...]
    pooling: str = ""
    warnings: tuple[str, ...] = ()


def layout_of(place: Place) -> Layout:
    """Raises NotFound for files that are no model this knows."""
    if "adapter_config.json" in place.files and "config.json" not in place.files:
        adapter = table_of(place, "adapter_config.json")
        files = tuple(name for name in place.files if name.endswith(".safetensors") and "/" not in name)
        return Layout(ADAPTER, "", {}, adapter, files)
    folder, pooling = _sentence_parts(place)
    path = str(PurePosixPath(folder, "config.json"))
    if path not in place.files:
        return _without_config(place)
    config = table_of(place, path)
    weights, warnings = _weights(place, folder)
    if "config.json" in place.files and "adapter_config.json" in place.files:
        warnings = (*warnings, "an adapter lies beside the model; it was not counted")
    kind = SENTENCES if "modules.json" in place.files else TRANSFORMERS
    return Layout(kind, folder, config, {}, weights, pooling, warnings)


def _without_config(place: Place) -> Layout:
    if any(name.endswith(".gguf") for name in place.files):
        told = "GGUF files: their headers, tokenizer and chat template are not read, and no memory is estimated"
        return Layout(GGUF, "", {}, {}, (), warnings=(told,))
    kinds = ", ".join(sorted({PurePosixPath(name).suffix for name in place.files} - {""})[:8])
    raise NotFound(
        f"{place.name} has no config.json, so it is no model that this knows; it has {kinds or 'no files'}",
        "a model of transformers or sentence-transformers, a PEFT adapter, or GGUF files",
        "check the id or path; the model may lie in a folder below",
    )


def _sentence_parts(place: Place) -> tuple[str, str]:
    """The folder of a sentence-transformers model's encoder, and how it pools."""
    modules = json_of(place, "modules.json")
    parts = [each for each in modules if isinstance(each, dict)] if isinstance(modules, list) else []
    folder = next((str(each.get("path", "")) for each in parts if str(each.get("type")).endswith("Transformer")), "")
    at = next((str(each.get("path", "")) for each in parts if str(each.get("type")).endswith("Pooling")), None)
    told = table_of(place, f"{at}/config.json") if at else {}
    modes = [name.removeprefix("pooling_mode_") for name, value in told.items() if value is True and "mode" in name]
    return folder, ", ".join(modes)


def _weights(place: Place, folder: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The files of an index, else model*.safetensors, else all beside the config; and what is missing of them."""
    here = [name for name in place.files if str(PurePosixPath(name).parent) == str(PurePosixPath(folder or "."))]
    found = [name for name in here if name.endswith(".safetensors")]
    index = next((name for name in here if name.endswith(".safetensors.index.json")), None)
    if index:
        table = table_of(place, index).get("weight_map")
        named = (
            sorted({str(PurePosixPath(folder, str(name))) for name in table.values()})
            if isinstance(table, dict)
            else []
        )
        gone = [name for name in named if name not in place.files]
        told = (f"{index} names {len(gone)} files that are not there: {', '.join(gone[:3])}",) if gone else ()
        return tuple(name for name in named if name in place.files), told
    named = [name for name in found if PurePosixPath(name).name.startswith("model")] or found
    pickled = [name for name in here if name.endswith(_PICKLES) and "model" in name]
    told = ("the weights are pickles, which can run code when loaded; no safetensors",) if pickled and not named else ()
    return tuple(sorted(named)), told
