"""The paths of images: as users name them, and as a gallery stores them.

Stored, a path is relative to the gallery's folder wherever that is possible, with ``/``
between its parts, so that a gallery and its photos may be moved together; else it is
absolute. All that turns the one form into the other is here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contrawarp_edge.inputs.originals import original_exists


def absolute(path: Path | str) -> str:
    """An absolute path without ``..``; links stay, unless one comes before a ``..``.

    Behind a link, ``..`` is the parent of what the link leads to, as for the system.
    """
    head, name = os.path.split(os.fspath(path))
    if name in ("", os.curdir, os.pardir):
        return _folder(os.fspath(path))
    return os.path.join(_folder(head), name)


def _folder(path: str) -> str:
    plain = os.path.abspath(path)
    if os.pardir in Path(path).parts and _real(path) != _real(plain):
        return _real(path)
    return plain


def shown(path: str) -> str:
    """An absolute path as it opens from here: relative if it lies below this folder."""
    try:
        return below(path, os.getcwd()) or path
    except OSError:  # this folder was removed
        return path


def below(path: str, folder: str) -> str | None:
    """The rest of an absolute path that lies below an absolute folder, else None."""
    start = folder if folder.endswith(os.sep) else folder + os.sep
    is_below = os.path.normcase(path).startswith(os.path.normcase(start))
    return path[len(start) :] if is_below else None


def is_there(path: str) -> bool:
    """Whether the file behind a path can be seen."""
    try:
        return original_exists(path)
    except OSError:
        return False


@dataclass(frozen=True)
class Places:
    """Turns paths into the form in which one gallery stores them, and back.

    Attributes:
        folder: The gallery's folder, absolute.
        bases: The folders to which its relative paths may be relative, the likeliest
            first.
        is_settled: Whether they are known to be relative to the gallery's folder.
    """

    folder: str
    bases: tuple[str, ...]
    is_settled: bool

    @classmethod
    def settled(cls, folder: str) -> Places:
        """Those of a gallery whose paths are relative to its folder."""
        return cls(folder, (folder,), True)

    def stored(self, path: Path | str) -> str:
        """The form in which a path is stored from now on."""
        full = absolute(path)
        relative = self._relative(full) if self.is_settled else None
        return _posix(full if relative is None else relative)

    def stored_forms(self, path: Path | str) -> Iterator[str]:
        """All forms in which a path may be stored, the likeliest first."""
        yield self.stored(path)
        if not self.is_settled:
            full = absolute(path)
            for base in self.bases:
                yield from map(_posix, _relatives(full, base))
            yield os.fspath(path)

    def canonical(self, path: Path | str) -> str:
        """A path by the name under which this gallery knows what lies there."""
        return self.absolute(self.stored(path))

    def prefix(self, folder: Path | str) -> str:
        """How the stored paths of all images below a folder begin, perhaps of more."""
        stored = self.stored(folder)
        is_above = stored.startswith(os.curdir) or stored.endswith("/")
        return f"{stored}/" if self.is_settled and not is_above else ""

    def absolute(self, stored: str) -> str:
        """Where the file is behind a stored path."""
        if os.path.isabs(stored):
            return os.path.normpath(stored)
        candidates = [joined(base, stored) for base in self.bases]
        if len(candidates) > 1:
            return next(filter(is_there, candidates), candidates[0])
        return candidates[0]

    def shown(self, stored: str) -> str:
        """A stored path as users see it, which opens from the current folder."""
        return shown(self.absolute(stored))

    def _relative(self, full: str) -> str | None:
        if (rest := below(full, self.folder)) is not None:
            return rest
        # The same folder may be known by two names, such as /tmp and /private/tmp.
        head, name = os.path.split(full)
        real = os.path.join(_real(head), name)
        if (rest := below(real, _real(self.folder))) is not None:
            return rest
        return next(_relatives(full, self.folder), None)


def _real(folder: str) -> str:
    try:
        return os.path.realpath(folder)
    except ValueError:  # a zero byte
        return folder


def _relatives(full: str, base: str) -> Iterator[str]:
    """An absolute path relative to a folder, if they share more than the root."""
    try:
        common = os.path.commonpath([full, base])
    except ValueError:  # on two drives
        return
    if common != os.path.dirname(common):
        yield os.path.relpath(full, base)


def joined(base: str, stored: str) -> str:
    """Where a stored path leads to from a folder."""
    return os.path.normpath(os.path.join(base, stored))


def _posix(path: str) -> str:
    return path if os.sep == "/" else path.replace(os.sep, "/")


def gallery_folder(gallery: Path) -> str:
    """The folder of a gallery, or of the file that a link in its place leads to."""
    path = absolute(gallery)
    for _ in range(40):
        if not os.path.islink(path):
            break
        path = absolute(os.path.join(os.path.dirname(path), os.readlink(path)))
    return os.path.dirname(path)


def same_folder(one: str, other: str) -> bool:
    """Whether two names are those of one folder that is there."""
    try:
        return one == other or os.path.samefile(one, other)
    except (OSError, ValueError):
        return False
