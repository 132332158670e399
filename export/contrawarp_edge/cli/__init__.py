"""The command ``contrawarp-edge``, one module for each of its commands."""

from __future__ import annotations

import click

from contrawarp_edge.cli.asking.cluster import cluster_command
from contrawarp_edge.cli.asking.dedupe import dedupe_command
from contrawarp_edge.cli.asking.map import map_command
from contrawarp_edge.cli.asking.search import search_command
from contrawarp_edge.cli.filling.align import align_command
from contrawarp_edge.cli.filling.embed import embed_command
from contrawarp_edge.cli.filling.watch import watch_command
from contrawarp_edge.cli.publishing.serve import serve_command
from contrawarp_edge.cli.publishing.web import web_command
from contrawarp_edge.cli.upkeep.check import check_command
from contrawarp_edge.cli.upkeep.index import index_command
from contrawarp_edge.cli.upkeep.info import info_command
from contrawarp_edge.cli.upkeep.prune import prune_command
from contrawarp_edge.cli.upkeep.remove import remove_command
from contrawarp_edge.core.command import CleanGroup


@click.group(cls=CleanGroup)
@click.version_option(package_name="contrawarp-edge")
def main() -> None:
    """Embed faces by expression and search them."""


for command in (
    align_command,
    embed_command,
    watch_command,
    prune_command,
    remove_command,
    search_command,
    index_command,
    check_command,
    dedupe_command,
    cluster_command,
    map_command,
    info_command,
    serve_command,
    web_command,
):
    main.add_command(command)
