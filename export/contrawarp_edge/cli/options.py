"""What several commands share: options, the model of a gallery, a line for a skip."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from contrawarp_edge.core.command import FiniteRange
from contrawarp_edge.core.errors import InputError, NotFoundError
from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.ann.state import read_state
from contrawarp_edge.gallery.conditions import (
    ADDED,
    Condition,
    parse_condition,
    parse_date,
)
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.ingest.metadata_file import (
    Describe,
    MetadataFile,
    identity_from_path,
)
from contrawarp_edge.inputs.others import say_others
from contrawarp_edge.inputs.sources import Sources

FILE = click.Path(path_type=Path)

_Command = TypeVar("_Command", bound=Callable[..., Any])

SECONDS = FiniteRange(0, min_open=True)

every_option = click.option(
    "--every", type=SECONDS, metavar="SECONDS", help="Also embed videos, a frame each."
)
align_option = click.option(
    "--align/--no-align",
    default=None,
    help="Cut the largest face out first.  [default: as the gallery's images were]",
)
metadata_option = click.option(
    "--metadata", type=FILE, help="CSV or JSON lines: what to store, by `path`."
)
identity_option = click.option(
    "--identity-pattern",
    metavar="REGEX",
    help="Finds who it is in the path; stored as `identity`.",
)

sort_option = click.option(
    "--sort", metavar="CLASS", help="The most probable ones of a class first."
)
best_of_option = click.option(
    "--best-of", metavar="FIELD", help="The first one for each value in the metadata."
)
top_option = click.option(
    "--top",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Classes named in the table for each image.",
)


def list_options(command: _Command) -> _Command:
    """Adds the options that name files by lists: ``lists`` and ``null``."""
    for option in (
        click.option(
            "--null", is_flag=True, help="Names in lists end with a zero byte."
        ),
        click.option(
            "--list",
            "lists",
            type=FILE,
            multiple=True,
            help="File that names an image in each line; - for standard input.",
        ),
    ):
        command = option(command)
    return command


def filter_options(command: _Command) -> _Command:
    """Adds the options that ``conditions`` reads."""
    for option in (
        click.option("--added-before", metavar="DATE", help="Embedded before."),
        click.option("--added-since", metavar="DATE", help="Embedded then or later."),
        click.option(
            "--where",
            multiple=True,
            metavar="CONDITION",
            help="On metadata or expression: KEY=VALUE, or != < <= > >=. Repeatable.",
        ),
    ):
        command = option(command)
    return command


def conditions(
    where: tuple[str, ...], added_since: str | None, added_before: str | None
) -> list[Condition]:
    """Conditions from the options that ``filter_options`` adds.

    Raises:
        InputError: If one is malformed.
    """
    found = [parse_condition(text) for text in where]
    if added_since:
        found.append(Condition(ADDED, ">=", parse_date(added_since)))
    if added_before:
        found.append(Condition(ADDED, "<", parse_date(added_before)))
    return found


def filter_notes(options: Mapping[str, Any]) -> list[str]:
    """What a page says of the options of ``filter_options`` and ``best_of_option``."""
    notes = list(options["where"])
    for name, text in (
        ("added_since", "embedded since {}"),
        ("added_before", "embedded before {}"),
        ("best_of", "the first for each {}"),
    ):
        if options[name] is not None:
            notes.append(text.format(options[name]))
    return notes


def check_one_format(is_json: bool, is_csv: bool) -> None:
    """Checks that not both of --json and --csv are given.

    Raises:
        InputError: If they are.
    """
    if is_json and is_csv:
        raise InputError("--json and --csv exclude each other")


def describer(metadata: MetadataFile | None, identity_pattern: str | None) -> Describe:
    """What is known of a path from both; the file comes before the pattern."""
    by_path = identity_from_path(identity_pattern) if identity_pattern else None

    def describe(path: Path) -> dict[str, Any]:
        facts = by_path(path) if by_path else {}
        return {**facts, **metadata(path)} if metadata else facts

    return describe


def remembered_model(gallery: Gallery) -> Path:
    """The model that a gallery was last written with.

    Raises:
        InputError: If it is not known or not there any more.
    """
    path = gallery.model_path
    if path is None or not path.is_file():
        raise NotFoundError(
            f"{gallery.path}: its model {path or ''} is gone; name it with --model"
        )
    return path


def say_skipped(path: Path | str, reason: str) -> None:
    """Names a file that could not be used, on one line of stderr."""
    click.echo(f"skipped {printable(f'{path}: {reason}')}", err=True)


def say_passed_over(sources: Sources) -> None:
    """Says on one line of stderr how many files were no images, if any."""
    if text := say_others(sources.others):
        click.echo(printable(text), err=True)


def nothing_found(sources: Sources) -> InputError:
    """The error if there are no images; it says what there is instead."""
    names = ", ".join(map(str, (*sources.paths, *sources.lists)))
    parts = [f"{names}: no image files found", say_others(sources.others)]
    return InputError("; ".join(filter(None, parts)))


def say_missing(gallery: Gallery) -> None:
    """Says how many originals cannot be found, if any, on one line of stderr."""
    found = gallery.paths.missing()
    if found.missing:
        click.echo(printable(found), err=True)


def say_of_index(gallery: Path) -> None:
    """Says on one line of stderr if an index would make searches quicker."""
    with suppress(InputError):  # whatever was wanted is done
        if read_state(gallery).is_needed:
            text = f"`contrawarp-edge index {gallery}` would make searches quicker"
            click.echo(printable(text), err=True)


class Steps:
    """Shows the present step of long work on a terminal, else nothing."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()

    def __call__(self, step: str) -> None:
        """Shows a step in place of the one before."""
        if self._is_terminal:
            click.echo(f"\r\x1b[K{step}", err=True, nl=False)

    def clear(self) -> None:
        """Removes what is shown."""
        self("")
