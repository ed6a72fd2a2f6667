"""Pictures and sound in a column: told by their first bytes and header; never decoded whole, never dumped."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping
from typing import Any

from mlresearch.inspection.features import AUDIO, IMAGE

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")
AUDIO_ENDINGS = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")
_SIGNS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", IMAGE, "png"),
    (b"\xff\xd8\xff", IMAGE, "jpeg"),
    (b"GIF8", IMAGE, "gif"),
    (b"II*\x00", IMAGE, "tiff"),
    (b"MM\x00*", IMAGE, "tiff"),
    (b"fLaC", AUDIO, "flac"),
    (b"OggS", AUDIO, "ogg"),
    (b"ID3", AUDIO, "mp3"),
    (b"\xff\xfb", AUDIO, "mp3"),
)


def sniff(data: bytes) -> tuple[str, str]:
    """(image or audio, its format) by the first bytes; two empty texts for anything else."""
    if data[:4] == b"RIFF":
        riff = {b"WEBP": (IMAGE, "webp"), b"WAVE": (AUDIO, "wav")}
        return riff.get(bytes(data[8:12]), ("", ""))
    return next(((kind, name) for sign, kind, name in _SIGNS if data.startswith(sign)), ("", ""))


def kind_of_path(path: str) -> str:
    """image, audio or empty, by the file's ending."""
    low = path.lower()
    return IMAGE if low.endswith(IMAGE_ENDINGS) else AUDIO if low.endswith(AUDIO_ENDINGS) else ""


def content(value: Any) -> bytes | None:
    """The bytes in a media cell: themselves, or in the struct that the `datasets` library writes."""
    if isinstance(value, Mapping):
        value = value.get("bytes")
    return value if isinstance(value, bytes) else None


def describe(data: bytes) -> dict[str, Any]:
    """Format and header: width and height, or seconds, rate and channels; `fault` when the header can not be read."""
    kind, name = sniff(data)
    told: dict[str, Any] = {"media": kind or "unknown", "format": name or "unknown", "bytes": len(data)}
    if kind == IMAGE:
        return told | _picture(data)
    if name == "wav":
        return told | _sound(data)
    return told


def _picture(data: bytes) -> dict[str, Any]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as opened:
            return {"width": opened.width, "height": opened.height, "mode": opened.mode}
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return {"fault": str(error)[:120] or type(error).__name__}


def _sound(data: bytes) -> dict[str, Any]:
    try:
        with wave.open(io.BytesIO(data)) as opened:
            rate = opened.getframerate()
            return {"seconds": round(opened.getnframes() / rate, 3), "rate": rate, "channels": opened.getnchannels()}
    except (wave.Error, EOFError, ZeroDivisionError) as error:
        return {"fault": str(error)[:120] or type(error).__name__}
