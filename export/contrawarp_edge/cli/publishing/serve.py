"""``contrawarp-edge serve``."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from contrawarp_edge.align.rules import aligner_for
from contrawarp_edge.cli.options import (
    FILE,
    align_option,
    remembered_model,
    say_missing,
)
from contrawarp_edge.core.command import CleanCommand, FiniteRange
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.optional import required
from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.model.embedder import Embedder
from contrawarp_edge.server.settings import (
    Access,
    Limits,
    hostname,
    is_ip_address,
    is_loopback,
)

_SHORTEST_TOKEN = 16


@click.command("serve", cls=CleanCommand)
@click.argument("gallery", type=FILE)
@click.option("--model", type=FILE, help="The model, if it is not where it was.")
@align_option
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option(
    "--token",
    envvar="CONTRAWARP_TOKEN",
    show_envvar=True,
    help="What clients have to send. Made up if left out and others can reach --host.",
)
@click.option(
    "--allow-add/--readonly",
    help="Whether clients may add and delete images.  [default: readonly]",
)
@click.option(
    "--allowed-host",
    multiple=True,
    metavar="NAME",
    help="A name by which the service is reached, such as that of a proxy: as in the "
    "browser, without http:// and port.",
)
@click.option(
    "--max-upload-mb", type=FiniteRange(0.1, 1024), default=16, show_default=True
)
@click.option(
    "--max-megapixels", type=FiniteRange(0.1, 64), default=24, show_default=True
)
@click.option(
    "--max-requests",
    type=click.IntRange(1, 1024),
    default=32,
    show_default=True,
    help="Requests at the same time.",
)
@click.option(
    "--timeout",
    type=FiniteRange(0.1, 3600),
    default=30,
    show_default=True,
    help="Seconds for one request.",
)
def serve_command(
    gallery: Path,
    model: Path | None,
    align: bool | None,
    host: str,
    port: int,
    token: str | None,
    allow_add: bool,
    allowed_host: tuple[str, ...],
    max_upload_mb: float,
    max_megapixels: float,
    max_requests: int,
    timeout: float,
) -> None:
    """Serve GALLERY as a page and as REST, until SIGTERM or Ctrl-C.

    Only this machine can reach it, unless another --host is given; a token is needed
    then. What clients send is searched with and not stored, unless they add it.
    """
    for module in ("fastapi", "uvicorn", "python_multipart"):
        required(module, "serve", f"serve needs {module}")
    from contrawarp_edge.server.app import create_app
    from contrawarp_edge.server.run import listen, run

    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(24)
    elif token is not None and len(token) < _SHORTEST_TOKEN:
        raise InputError(f"--token has to have at least {_SHORTEST_TOKEN} characters")
    access = Access(token, _names(host, allowed_host), allow_add)
    limits = Limits(
        upload_bytes=int(max_upload_mb * (1 << 20)),
        pixels=int(max_megapixels * 1e6),
        requests=max_requests,
        seconds=timeout,
    )
    with Gallery.open(gallery, readonly=True) as opened:
        embedder = Embedder(model or remembered_model(opened))
        say_missing(opened)
        count = len(opened)
        align = opened.aligned if align is None else align
    prepare = aligner_for(embedder.info) if align else None
    app = create_app(gallery, embedder, access, limits, prepare)
    with listen(host, port) as listener:
        url = _url(host, listener.getsockname()[1], token)

        def on_start() -> None:
            click.echo(f"{printable(gallery)}: {count:,} images at {url}")
            click.echo("Stop with Ctrl-C.")
            if token is not None and not is_loopback(host):
                click.echo(
                    "The connection is not encrypted: whoever can read the network's "
                    "traffic can read the token.",
                    err=True,
                )

        run(app, listener, limits, on_start)


def _names(host: str, allowed: tuple[str, ...]) -> frozenset[str]:
    """Names of the service, besides those by which every service is known."""
    for name in allowed:
        if hostname(name) != name.lower() and not is_ip_address(name):
            raise InputError(
                f"--allowed-host {name}: only a name is needed, such as "
                "faces.example.org, without http:// and port"
            )
    # The pages of an address are told by their port too: others serve there as well.
    own = () if is_ip_address(host) or host == "localhost" else (host,)
    return frozenset(name.lower() for name in (*own, *allowed))


def _url(host: str, port: int, token: str | None) -> str:
    name = f"[{host}]" if ":" in host else host
    # Browsers keep what follows # to themselves, so it gets into nobody's log.
    return f"http://{name}:{port}/" + (f"#token={token}" if token else "")
