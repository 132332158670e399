"""Every command and every option stands in the documentation; its links hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from contrawarp_edge.cli import main as edge
from lightly_contrawarp.cli import main as training
from lightly_contrawarp.cli.export import main as export

ROOT = Path(__file__).parents[1]
MANUALS = [ROOT / "README.md", ROOT / "export" / "README.md", *ROOT.glob("docs/*.md")]
TEXTS = [*MANUALS, ROOT / "CONTRIBUTING.md"]
TEXTS += [*ROOT.glob("examples/*.md"), *ROOT.glob("benchmarks/**/*.md")]
SECTIONS = [
    section
    for manual in MANUALS
    for section in re.split(r"^#+ ", manual.read_text(), flags=re.MULTILINE)
]


def commands() -> Iterator[tuple[str, click.Command]]:
    """All of them, as they are typed."""
    yield "contrawarp-export", export
    for program, group in (("contrawarp", training), ("contrawarp-edge", edge)):
        context = click.Context(group)
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield f"{program} {name}", command


def contains(text: str, word: str) -> bool:
    return bool(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text))


@pytest.mark.parametrize(
    ("name", "command"), [pytest.param(*c, id=c[0]) for c in commands()]
)
def test_options_stand_where_their_command_is_described(
    name: str, command: click.Command
) -> None:
    short = name.split()[-1]
    about = [s for s in SECTIONS if contains(s, name) or re.search(rf"`{short}\b", s)]
    assert about, f"{name} is not documented"
    missing = [
        option.opts[0]
        for option in command.params
        if isinstance(option, click.Option)
        and not any(
            contains(s, o) for o in option.opts + option.secondary_opts for s in about
        )
    ]
    assert not missing, f"{name}: {missing} are not documented"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_names_of_modules_hold(path: Path) -> None:
    text = path.read_text()
    links = re.findall(r"\]\((?!\w+:)([^)#]+)", text)
    assert not [link for link in links if not (path.parent / link).exists()]
    names = re.findall(
        r"\b(?:lightly_contrawarp|contrawarp_edge)(?:\.[a-z_0-9]+)+", text
    )
    assert not [name for name in set(names) if not is_there(name)]


def is_there(name: str) -> bool:
    """Whether there is such a module, or something in a module of that name."""
    parent, _, last = name.rpartition(".")
    module = __import__(parent, fromlist=[last])
    return hasattr(module, last) or find_spec(name) is not None
