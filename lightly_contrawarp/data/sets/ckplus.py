"""CK+: sequences that go from a neutral face to the peak of an expression."""

from __future__ import annotations

from pathlib import Path

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.inputs.images import iter_images
from lightly_contrawarp.data.labelled import (
    SPLIT_FOLDERS,
    LabelledImages,
    LabelledItem,
    file_item,
)
from lightly_contrawarp.data.sets.checks import (
    check_count,
    first_existing,
    warn_left_out,
)
from lightly_contrawarp.data.sets.folds import DEFAULT_FOLDS, Folds, by_person
from lightly_contrawarp.data.tables import label_number

_LABELS = (
    "neutral",
    "anger",
    "contempt",
    "disgust",
    "fear",
    "happy",
    "sad",
    "surprise",
)
_SEQUENCES = 327


def splits(root: Path) -> tuple[str, ...]:
    """Folds by person: the set has no official splits."""
    _find(root)
    return tuple(SPLIT_FOLDERS)


def read(
    root: Path, split: str, *, peak_frames: int = 1, folds: Folds = DEFAULT_FOLDS
) -> LabelledImages:
    """Reads a split: the neutral and the peak frames of the labelled sequences.

    Args:
        root: Holds ``cohn-kanade-images/S005/001/*.png`` and
            ``Emotion/S005/001/*_emotion.txt``. Sequences without the latter have no
            label and are left out.
        split: The split; no person is in two of them.
        peak_frames: How many frames at the end of a sequence show its expression. The
            first one shows a neutral face.
        folds: How the splits are dealt.
    """
    if peak_frames < 1:
        raise InputError(f"peak_frames {peak_frames}: must be 1 or more")
    images, emotions = _find(root)
    items: list[LabelledItem] = []
    missing = []
    label_files = sorted(emotions.glob("*/*/[!.]*_emotion.txt"))
    sequences = 0
    for label_file in label_files:
        if (label := _label(label_file)) is None:
            continue
        sequences += 1
        folder = images / label_file.parent.relative_to(emotions)
        frames = list(iter_images(folder)) if folder.is_dir() else []
        if not frames:
            missing.append(str(folder))
            continue
        person = label_file.parent.parent.name
        if len(frames) > 1:
            items.append(file_item(frames[0], "neutral", person))
        for frame in frames[1:][-peak_frames:] or frames:
            items.append(file_item(frame, label, person))
    if not items:
        raise InputError(
            f"{emotions}: no labelled sequence whose frames are in {images}; expected "
            "S005/001/*_emotion.txt and S005/001/*.png"
        )
    check_count("ckplus sequences", sequences, _SEQUENCES)
    warn_left_out(emotions, "sequences have no frames", missing, sequences)
    return LabelledImages("ckplus", root, by_person(items, split, folds))


def _label(path: Path) -> str | None:
    text = path.read_text(encoding="utf-8", errors="replace").strip()
    if not text:
        return None
    label = label_number(text, str(path))
    if not 0 <= label < len(_LABELS):
        raise InputError(f"{path}: label {label}; expected 0 to 7")
    return _LABELS[label]


def _find(root: Path) -> tuple[Path, Path]:
    images = first_existing(
        root, "cohn-kanade-images", "extended-cohn-kanade-images/cohn-kanade-images"
    )
    emotions = first_existing(root, "Emotion", "Emotion_labels/Emotion")
    if images and emotions:
        return images, emotions
    raise InputError(
        f"{root}: no CK+ here; expected cohn-kanade-images/S005/001/*.png and "
        "Emotion/S005/001/*_emotion.txt"
    )
