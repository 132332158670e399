"""``contrawarp-edge list``."""

from __future__ import annotations

from pathlib import Path

import click

from contrawarp_edge.cli.asking.faces import as_json, as_table, csv_rows
from contrawarp_edge.cli.options import (
    FILE,
    best_of_option,
    check_one_format,
    conditions,
    filter_notes,
    filter_options,
    say_missing,
    sort_option,
    top_option,
)
from contrawarp_edge.core.command import CleanCommand, print_csv
from contrawarp_edge.core.files import atomic_write_text
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.gallery.ranking import ranked
from contrawarp_edge.pages.faces import render


@click.command("list", cls=CleanCommand)
@click.argument("gallery", type=FILE)
@filter_options
@sort_option
@best_of_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Most images.",
)
@top_option
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@click.option("--csv", "is_csv", is_flag=True, help="Print CSV.")
@click.option("--html", type=FILE, help="Write a page with the pictures.")
@click.pass_context
def list_command(
    ctx: click.Context,
    gallery: Path,
    where: tuple[str, ...],
    added_since: str | None,
    added_before: str | None,
    sort: str | None,
    best_of: str | None,
    limit: int,
    top: int,
    is_json: bool,
    is_csv: bool,
    html: Path | None,
) -> None:
    """List the images of a gallery and their expressions.

    Without `--sort`, those that were embedded first come first.
    """
    check_one_format(is_json, is_csv)
    where_all = conditions(where, added_since, added_before)
    with Gallery.open(gallery, readonly=True) as opened:
        say_missing(opened)
        info = opened.info
        found = opened.iter_records(where_all)
        records = ranked(found, info, sort=sort, best_of=best_of, limit=limit)
    if html:
        page = render(records, gallery, filter_notes(ctx.params), sort)
        atomic_write_text(html, page)
    if is_csv:
        print_csv(csv_rows(records, info.classes))
    else:
        click.echo(as_json(records) if is_json else as_table(records, top))
