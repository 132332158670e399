"""A static folder that embeds and searches in the visitor's browser."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from contrawarp_edge.core.drafts import draft_of, remove_stale_draft
from contrawarp_edge.core.errors import InputError, NotApplicableError, NotFoundError
from contrawarp_edge.gallery.conditions import EXPRESSION, metadata_fields
from contrawarp_edge.gallery.gallery import Gallery
from contrawarp_edge.gallery.records import Record
from contrawarp_edge.inputs.originals import small_jpeg
from contrawarp_edge.model.embedder import Embedder
from contrawarp_edge.web import page_files

Precision = Literal["float16", "float32"]

_DESCRIPTION = "gallery.json"
_THUMBNAILS = "thumbnails"
_RUNTIME = "runtime"


@dataclass
class Site:
    """What was written.

    Attributes:
        images: Number of images.
        sizes: Bytes by part: model, runtime, vectors, page, thumbnails.
        without_picture: Originals that could not be read, each with the reason. They
            can be found, but not seen.
    """

    images: int
    sizes: dict[str, int] = field(default_factory=dict)
    without_picture: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class SiteSettings:
    """How a site is made.

    Attributes:
        precision: Of the vectors. Half precision changes scores by less than 0.001.
        thumbnail: Most pixels of height and width of the pictures.
        max_bytes: Most bytes of the whole site.
    """

    precision: Precision = "float16"
    thumbnail: int = 160
    max_bytes: int = 200 << 20


def build_site(
    model: Path,
    gallery: Path,
    out: Path,
    runtime: dict[str, bytes],
    settings: SiteSettings,
    on_image: Callable[[int, int], None] = lambda done, total: None,
) -> Site:
    """Writes the site, whole or not at all.

    Args:
        model: The model.
        gallery: A gallery that was made with it.
        out: Where to; missing, empty, or an earlier site, which is replaced.
        runtime: The files of onnxruntime-web, by name.
        settings: How.
        on_image: Told how many of how many pictures are done.

    Raises:
        InputError: If model and gallery do not belong together or the gallery is
            empty, if the site gets larger than allowed, or cannot be written.
    """
    embedder = Embedder(model)
    with Gallery.open(gallery, readonly=True) as opened, _draft(out) as draft:
        opened.check_model(embedder.info)
        if not len(opened):
            raise NotApplicableError(f"{gallery}: holds no images; embed some first")
        records = list(opened.iter_records())
        dtype = "<f2" if settings.precision == "float16" else "<f4"
        contents = {
            "model": model.read_bytes(),
            "vectors": np.stack([r.embedding for r in records]).astype(dtype).tobytes(),
        }
        site = Site(len(records))
        meter = _Meter(site, settings.max_bytes)
        files = {}
        for part, content in contents.items():
            # Named by content, so that no cache mixes the files of two sites.
            name = f"{part}-{hashlib.sha256(content).hexdigest()[:12]}.bin"
            meter.write(part, draft / name, content)
            files[part] = {"name": name, "bytes": len(content)}
        for name, content in runtime.items():
            meter.write("runtime", draft / _RUNTIME / name, content)
        for name, content in page_files("browser").items():
            meter.write("page", draft / name, content)
        images = []
        pictures = _pictures(records, settings.thumbnail)
        for done, (record, picture) in enumerate(
            zip(records, pictures, strict=True), 1
        ):
            images.append(_image_facts(record, isinstance(picture, bytes)))
            if isinstance(picture, bytes):
                meter.write("thumbnails", draft / images[-1]["thumbnail"], picture)
            else:
                site.without_picture.append((record.path, picture))
            on_image(done, len(records))
        description = {
            "name": gallery.name,
            "model": asdict(opened.info),
            "precision": settings.precision,
            "files": files,
            "fields": metadata_fields(
                {EXPRESSION: record.expression, **(record.metadata or {})}
                for record in records
            ),
            "images": images,
        }
        text = json.dumps(description, separators=(",", ":"))
        meter.write("page", draft / _DESCRIPTION, text.encode())
    return site


class _Meter:
    """Writes files, counts their bytes, and stops before they get too many."""

    def __init__(self, site: Site, limit: int) -> None:
        self._site = site
        self._limit = limit

    def write(self, part: str, path: Path, content: bytes) -> None:
        sizes = self._site.sizes
        sizes[part] = sizes.get(part, 0) + len(content)
        if (total := sum(sizes.values())) > self._limit:
            raise InputError(
                f"the site would be larger than {self._limit / 1e6:g} MB (it has "
                f"{total / 1e6:.1f} MB with its {', '.join(sizes)}); allow more with "
                "--max-mb, or take a smaller model or gallery"
            )
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


@contextmanager
def _draft(out: Path) -> Iterator[Path]:
    """A folder that takes the place of ``out`` at the end, if nothing fails."""
    replaces = out.is_dir() and any(out.iterdir())
    if replaces and not (out / _DESCRIPTION).is_file():
        raise InputError(f"{out}: holds something other than a site; give a new folder")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; give a new folder")
    if not out.absolute().parent.is_dir():
        raise NotFoundError(f"{out}: its folder does not exist")
    with draft_of(out, is_folder=True) as draft:
        remove_stale_draft(draft.path)
        yield draft.path
        if not replaces:
            draft.publish(out)
            return
        # Into a draft too, which goes in any case.
        with draft_of(draft.path, is_folder=True) as old:
            before = out.rename(old.path / out.name)
            try:
                draft.publish(out)
            except BaseException:
                before.rename(out)
                raise


def _pictures(records: list[Record], side: int) -> Iterator[bytes | str]:
    """A small JPEG of each image, or why there is none."""
    with ThreadPoolExecutor(thread_name_prefix="thumbnail") as pool:
        yield from pool.map(lambda record: _picture(record.path, side), records)


def _picture(path: str, side: int) -> bytes | str:
    try:
        return small_jpeg(path, side, quality=80)
    except InputError as error:
        return str(error).removeprefix(f"{path}: ")


def _image_facts(record: Record, visible: bool) -> dict[str, Any]:
    # Only the file's name: where it lies is nobody else's business.
    return {
        "id": record.id,
        "name": Path(record.path).name,
        "metadata": record.metadata or {},
        "expression": record.expression,
        # Significant digits, so that small probabilities keep their order too.
        "scores": {n: float(f"{score:.6g}") for n, score in record.scores.items()},
        "thumbnail": f"{_THUMBNAILS}/{record.id}.jpg" if visible else None,
    }
