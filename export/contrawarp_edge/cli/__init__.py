"""The command ``contrawarp-edge``, one module for each of its commands."""

from __future__ import annotations

import click

from contrawarp_edge.core.command import LazyGroup

_COMMANDS = {
    "align": (
        "filling.align",
        "Cut the faces of SRC, files, folders or quoted patterns, out into DST.",
    ),
    "check": ("upkeep.check", "Read all of a gallery and name what is damaged."),
    "cluster": (
        "asking.cluster",
        "Divide the images of a gallery into groups of similar ones.",
    ),
    "dedupe": ("asking.dedupe", "Find groups of near-duplicates in a gallery."),
    "embed": (
        "filling.embed",
        "Embed IMAGES, files, whole folders or quoted patterns, into a gallery.",
    ),
    "index": (
        "upkeep.index",
        "Build an index for approximate search in a large gallery.",
    ),
    "info": ("upkeep.info", "Print what a model or a gallery is."),
    "list": ("asking.list", "List the images of a gallery and their expressions."),
    "map": (
        "asking.map",
        "Draw a map of a gallery, on which similar images are near each other.",
    ),
    "prune": ("upkeep.prune", "Drop images whose files are gone from a gallery."),
    "recognise": (
        "asking.recognise",
        "Recognise the expressions in IMAGES, files, whole folders or quoted patterns.",
    ),
    "remove": (
        "upkeep.remove",
        "Erase images from a gallery: all that --id, --path or --where names.",
    ),
    "search": (
        "asking.search",
        "Find the images of a gallery that are most similar to QUERIES.",
    ),
    "serve": (
        "publishing.serve",
        "Serve GALLERY as a page and as REST, until SIGTERM or Ctrl-C.",
    ),
    "watch": ("filling.watch", "Keep a gallery in step with FOLDERS until Ctrl-C."),
    "web": (
        "publishing.web",
        "Write a static site that searches GALLERY in the visitor's own browser.",
    ),
}


@click.group(
    cls=LazyGroup,
    lazy={
        name: (f"{__name__}.{module}", text)
        for name, (module, text) in _COMMANDS.items()
    },
)
@click.version_option(package_name="contrawarp-edge")
def main() -> None:
    """Embed faces by expression and search them."""
