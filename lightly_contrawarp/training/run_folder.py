"""The folder of a run: what lies in it, and whether a run may begin or go on there."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.files import atomic_write_text
from lightly_contrawarp.models.checkpoint import load_backbone, training_facts
from lightly_contrawarp.models.settings import of_earlier
from lightly_contrawarp.training.settings import PretrainSettings

LAST = "last.ckpt"
ALIGNED = "aligned"
SETTINGS = "settings.json"


def write_settings(out: Path, settings: PretrainSettings) -> None:
    """Writes what a resumed run has to have again; makes the folder if need be."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(settings), indent=2) + "\n"
    atomic_write_text(out / SETTINGS, text)


def check_run(out: Path, settings: PretrainSettings, epochs: int, resume: bool) -> None:
    """Checks that nothing is overwritten, or that there is something to go on with.

    Args:
        out: Folder of the run.
        settings: Of the run to come.
        epochs: Its length, with what is done.
        resume: Whether it goes on with what is there.

    Raises:
        InputError: If ``out`` holds another run, or nothing to resume.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; --out has to be a folder")
    if not resume:
        if (out / LAST).exists():
            raise InputError(
                f"{out}: already holds a run; add --resume to go on with it, or give "
                "another --out"
            )
        return
    if not (out / LAST).exists():
        raise InputError(f"{out}: has no {LAST} to resume from")
    load_backbone(out / LAST)
    check_epochs(out, epochs)
    before = read_settings(out)
    for key, value in asdict(settings).items():
        if before.get(key, value) != value:
            raise InputError(
                f"{out}: was started with {key}={before[key]}, not {value}; resume "
                "with the same settings, or give another --out"
            )


def check_epochs(out: Path, epochs: int) -> None:
    """Checks that a run to be resumed has not done more than it is to do in all.

    Raises:
        InputError: If it has.
    """
    done = training_facts(out / LAST).get("epochs", 0)
    if done > epochs:
        raise InputError(
            f"{out}: has done {done} epochs, more than --epochs {epochs}, which counts "
            "those too; give a higher number to go on"
        )


def read_settings(out: Path) -> dict[str, Any]:
    """Reads what a run was started with, as far as its version knew and this one knows.

    Args:
        out: Folder of the run.

    Returns:
        Fields of `PretrainSettings` by name.

    Raises:
        InputError: If its settings are damaged.
    """
    path = out / SETTINGS
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise InputError(f"{path}: damaged ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: damaged (holds no settings)")
    known = {one.name: one.default for one in fields(PretrainSettings)}
    stored = of_earlier(content)
    for name in known & stored.keys():
        kinds = (int, float) if type(known[name]) is float else (type(known[name]),)
        if type(stored[name]) not in kinds:
            raise InputError(f"{path}: damaged ({name} is {stored[name]!r})")
    return {name: stored[name] for name in known & stored.keys()}
