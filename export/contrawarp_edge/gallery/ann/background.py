"""Building the index of a gallery beside other work, in a process of low priority.

Another process, because building in a thread would slow the searches of a service and
leave its memory large. It only ever adds a file that searches look for themselves.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO

from contrawarp_edge.core.command import EXIT_INPUT, EXIT_INTERRUPTED
from contrawarp_edge.core.errors import InputError
from contrawarp_edge.core.text import printable
from contrawarp_edge.gallery.ann.ann_index import RECALL_K, read_facts
from contrawarp_edge.gallery.ann.build import build
from contrawarp_edge.gallery.ann.lock import BusyError
from contrawarp_edge.gallery.ann.state import HINT, has_faiss, read_state
from contrawarp_edge.gallery.gallery import Gallery

_CHECK_SECONDS = 60.0
_RETRY_SECONDS = 3600.0
_LOOK_SECONDS = 0.2
_END_SECONDS = 10.0
# At 19, a build beside a busy service would get hardly any time and never end.
_NICE = 10


def start_detached(gallery: Path) -> bool:
    """Starts to build the index of a gallery if it needs one and faiss is there.

    The process goes on when the one that started it has ended.

    Returns:
        Whether it was started. Nobody hears of it if it fails.
    """
    with contextlib.suppress(InputError, OSError):  # whatever was wanted is done
        if read_state(gallery).is_needed and has_faiss():
            _start(gallery, subprocess.DEVNULL, is_attached=False)
            return True
    return False


class IndexKeeper:
    """Builds the index of a gallery whenever it needs one; a context manager.

    It looks when it is entered and then again and again, since other processes may
    embed too. A build that goes on when it is left is ended.

    Args:
        gallery: The gallery; need not be there yet.
        say: Told in one line, from another thread, what users may want to know: that an
            index was built, that it could not be, or that faiss is missing.
        seconds: Between two looks.
    """

    def __init__(
        self,
        gallery: Path,
        say: Callable[[str], None],
        *,
        seconds: float = _CHECK_SECONDS,
    ) -> None:
        self._gallery = gallery
        self._say = say
        self._seconds = seconds
        self._said = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="index")

    def __enter__(self) -> IndexKeeper:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _keep(self) -> None:
        while True:
            problem = self._build_if_needed()
            if problem and problem != self._said:
                self._say(f"{self._gallery}: {problem}")
            self._said = problem or ""
            if self._ended.wait(_RETRY_SECONDS if problem else self._seconds):
                return

    def _build_if_needed(self) -> str | None:
        """Returns what is wrong in the matter of the index, if anything is."""
        if not self._is_needed():
            return None
        if not has_faiss():
            return f"every search compares all images; {HINT}"
        before = read_facts(self._gallery)
        try:
            problem = self._build()
        except OSError as error:
            problem = str(error.strerror)
        if problem:
            return f"its index could not be built: {problem}"
        facts = read_facts(self._gallery)
        if facts is None or facts == before:  # ended, or another process builds it
            return None
        if self._is_needed():
            return "its new index is not used: too much has changed meanwhile"
        self._say(
            f"{self._gallery}: an index was built, searches are approximate now and "
            f"find {facts.recall:.1%} of the {RECALL_K} nearest"
        )
        return None

    def _is_needed(self) -> bool:
        try:
            return self._gallery.exists() and read_state(self._gallery).is_needed
        except InputError:  # whoever uses the gallery says so
            return False

    def _build(self) -> str | None:
        """Builds in another process; returns why it failed."""
        with tempfile.TemporaryFile("w+") as errors:
            with _start(self._gallery, errors, is_attached=True) as process:
                while process.poll() is None:
                    if self._ended.wait(_LOOK_SECONDS):
                        _end(process)
                        return None
            if process.returncode in (0, EXIT_INTERRUPTED):
                return None
            errors.seek(0)
            *_, line = errors.read().splitlines() or [f"exit {process.returncode}"]
            return line


def _start(
    gallery: Path, errors: IO[str] | int, *, is_attached: bool
) -> subprocess.Popen[bytes]:
    # With the path of this process: python -m would look in the present folder first.
    program = (
        f"import sys; sys.path[:] = {sys.path!r}; "
        "from contrawarp_edge.gallery.ann.background import main; "
        f"sys.exit(main(sys.argv[1], is_attached={is_attached}))"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(gallery.absolute())],
        stdin=subprocess.PIPE if is_attached else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        start_new_session=not is_attached,  # is not hung up with the terminal
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()  # what _end_with_parent waits for
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def main(gallery: str, *, is_attached: bool) -> int:
    """The process that builds.

    Args:
        gallery: The gallery file.
        is_attached: Whether to end with the process that started this one.

    Returns:
        The exit code.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(os, "nice"):
        os.nice(_NICE)
    if is_attached:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with Gallery.open(gallery, readonly=True) as opened:
            build(opened)
    except BusyError:
        pass
    except InputError as error:
        print(printable(" ".join(str(error).split())), file=sys.stderr)
        return EXIT_INPUT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # returns when the parent has ended, in any way
    signal.raise_signal(signal.SIGTERM)
