"""What lies in folders and is not looked at, counted by kind and put in a line."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from contrawarp_edge.core.optional import how_to_install
from contrawarp_edge.inputs.video import is_video

VIDEO_HINT = "--every SECONDS takes their frames"

_VIDEO = "video"
_BARE = "file without extension"
_PLURALS = {_VIDEO: "videos", _BARE: "files without extension"}
_HEIF = frozenset([".avif", ".avifs", ".heic", ".heics", ".heif", ".heifs", ".hif"])
_MOST_KINDS = 6


def kind_of(path: Path) -> str:
    """What a file that is no image is counted as: its extension, if it has one."""
    if is_video(path):
        return _VIDEO
    return path.suffix.lower() or _BARE


def say_others(others: Counter[str], video_hint: str = VIDEO_HINT) -> str:
    """What was not looked at, on one line.

    >>> say_others(Counter({".txt": 9, "video": 1, ".jxl": 2}))
    'not looked at: 1 video (--every SECONDS takes their frames), 9 .txt, 2 .jxl'

    Args:
        others: Number of files by kind.
        video_hint: How frames of videos can be had.

    Returns:
        What something can be done about comes first, then the most frequent; empty if
        nothing was counted.
    """
    hints = {_VIDEO: video_hint} | dict.fromkeys(_HEIF, how_to_install("heif"))
    kinds = sorted(others, key=lambda kind: (kind not in hints, -others[kind], kind))
    parts = []
    for kind in kinds[:_MOST_KINDS]:
        name = _PLURALS.get(kind, kind) if others[kind] > 1 else kind
        hint = f" ({hints[kind]})" if kind in hints else ""
        parts.append(f"{others[kind]:,} {name}{hint}")
    if rest := sum(others[kind] for kind in kinds[_MOST_KINDS:]):
        parts.append(f"{rest:,} of other kinds")
    return f"not looked at: {', '.join(parts)}" if parts else ""
