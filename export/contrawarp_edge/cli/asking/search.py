"""``contrawarp-edge search``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from contrawarp_edge.cli.asking.hits import as_json, as_table, csv_rows
from contrawarp_edge.cli.asking.query_vector import Examples, query_vector, whoever_else
from contrawarp_edge.cli.options import (
    FILE,
    align_option,
    best_of_option,
    check_one_format,
    conditions,
    filter_notes,
    filter_options,
    say_missing,
    sort_option,
)
from contrawarp_edge.core.command import CleanCommand, FiniteRange, print_csv
from contrawarp_edge.core.files import atomic_write_text
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.gallery.ranking import ranked
from contrawarp_edge.pages.hits import Question, render

_SCORE = FiniteRange(-1, 1)


@click.command("search", cls=CleanCommand)
@click.argument("gallery", type=FILE)
@click.argument("queries", type=FILE, nargs=-1)
@click.option("--id", "ids", type=int, multiple=True, help="Image of the gallery.")
@click.option(
    "--not", "not_images", type=FILE, multiple=True, help="Not like this image."
)
@click.option("--not-id", "not_ids", type=int, multiple=True, help="Nor like this.")
@click.option("--model", type=FILE, help="The model, if it is not where it was.")
@align_option
@click.option("-k", type=click.IntRange(min=1), default=10, show_default=True)
@filter_options
@click.option("--other-people", is_flag=True, help="Only other identities.")
@click.option("--min-score", type=_SCORE, help="Least score of a hit, -1 to 1.")
@click.option(
    "--distinct",
    type=_SCORE,
    metavar="SCORE",
    help="Leave out hits at least this similar to a better one.",
)
@sort_option
@best_of_option
@click.option("--exact", is_flag=True, help="Do not use the approximate index.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "is_csv", is_flag=True, help="Print CSV.")
@click.option("--html", type=FILE, help="Write a page with the pictures.")
@click.pass_context
def search_command(
    ctx: click.Context,
    gallery: Path,
    queries: tuple[Path, ...],
    ids: tuple[int, ...],
    not_images: tuple[Path, ...],
    not_ids: tuple[int, ...],
    model: Path | None,
    align: bool | None,
    k: int,
    where: tuple[str, ...],
    added_since: str | None,
    added_before: str | None,
    other_people: bool,
    min_score: float | None,
    distinct: float | None,
    sort: str | None,
    best_of: str | None,
    exact: bool,
    is_json: bool,
    is_csv: bool,
    html: Path | None,
) -> None:
    """Find the images of a gallery that are most similar to QUERIES.

    Several examples, images and `--id`, count as their mean: unit(mean(like)). With
    `--not`, half of the mean of what is not wanted is taken off before:
    unit(unit(mean(like)) - 0.5 unit(mean(unlike))). `--sort` and `--best-of` order and
    choose among the hits.
    """
    check_one_format(is_json, is_csv)
    like, unlike = Examples(queries, ids), Examples(not_images, not_ids)
    where_all = conditions(where, added_since, added_before)
    with Gallery.open(gallery, readonly=True) as opened:
        say_missing(opened)
        if align is None:
            align = opened.aligned
        elif align != opened.aligned:
            click.echo(
                f"the gallery's images were {'' if opened.aligned else 'not '}aligned, "
                "unlike the query; scores mean less",
                err=True,
            )
        if other_people:
            where_all += whoever_else(opened, like)
        found = opened.search(
            query_vector(opened, like, unlike, model, align),
            k,
            where_all,
            min_score=min_score,
            distinct=distinct,
            exclude=ids,
            exact=exact,
        )
        hits = ranked(found[0], opened.info, sort=sort, best_of=best_of)
        if found.recall is not None:
            click.echo(
                f"approximate: {found.recall:.1%} of the ten nearest were found when "
                "the index was built; --exact finds all",
                err=True,
            )
        if html:
            question = Question(
                like.paths(opened), unlike.paths(opened), _notes(ctx.params), sort
            )
            page = render(question, gallery, len(opened), hits)
            atomic_write_text(html, page)
    if is_csv:
        print_csv(csv_rows(hits))
    else:
        click.echo((as_json if is_json else as_table)(hits))


def _notes(options: Mapping[str, Any]) -> list[str]:
    """What a page says of the options that narrowed the search."""
    notes = filter_notes(options)
    for name, text in (
        ("sort", "the most probable {} first"),
        ("min_score", "score at least {}"),
        ("distinct", "less similar to each other than {}"),
    ):
        if options[name] is not None:
            notes.append(text.format(options[name]))
    return notes + ["other people"] * options["other_people"]
