"""One warped negative of each image of a batch, against what libraries offer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import kornia.augmentation as K
import torch
from torch.nn import functional as F
from torchvision.transforms import v2

from benchmarks.speed.scale import Scale, middle
from benchmarks.speed.table import (
    BOUND,
    OTHER,
    SHARE,
    Growth,
    Part,
    Table,
    Target,
    table_of_times,
)
from benchmarks.speed.timing import limited_threads, race, ratio
from lightly_contrawarp import LocalWarp
from lightly_contrawarp.transforms.geometry.sampling_grid import (
    identity_affine,
    sample,
    sampling_grid,
)

OURS = "LocalWarp"
_KORNIA = ("kornia RandomElasticTransform", "kornia RandomThinPlateSpline")
_ONE_FIELD = "torchvision ElasticTransform (one field for all)"
_PLAIN = "grid_sample with a given grid"
_FLOOR = "copy: memory traffic only"
_ROLES = {**dict.fromkeys((*_KORNIA, _ONE_FIELD), OTHER), _PLAIN: BOUND, _FLOOR: BOUND}


def measure(scale: Scale, device: str) -> Part:
    """Races on one thread, or on the GPU."""
    part = Part()
    against: dict[str, list[float]] = {n: [] for n in (*_KORNIA, _PLAIN, _FLOOR)}
    with limited_threads(1):
        for size, batch in settings(scale):
            times = race(
                contenders(batch, size, device),
                seconds=scale.seconds,
                rounds=scale.rounds,
                device=device,
            )
            part.tables.append(_table(batch, size, times, scale))
            for name, seen in against.items():
                seen.append(ratio(times, OURS, name).median)
    part.targets += [
        Target(f"{name} / {OURS}, least of all settings", 25, True, 1 / max(seen))
        for name, seen in against.items()
        if name in _KORNIA and device == "cpu"
    ]
    share = min(
        plain / kornia
        for name in _KORNIA
        for plain, kornia in zip(against[_PLAIN], against[name], strict=True)
    )
    part.notes.append(
        f"With a given grid, grid_sample alone is at least {share:.3g} times as fast "
        "as kornia's transforms: a bound for whatever samples once."
    )
    floor, wanted = (_PLAIN, 1.5) if device == "cpu" else (_FLOOR, 2.0)
    part.targets.append(
        Target(f"{OURS} / {floor}, most of all settings", wanted, False,
               max(against[floor]))
    )  # fmt: skip
    return part


def settings(scale: Scale) -> list[tuple[int, int]]:
    """Sides and batches: all batches at the larger sides, one batch at all sides."""
    by_batch = product(scale.sizes[-2:], scale.batches)
    by_side = product(scale.sizes, [middle(scale.batches)])
    return sorted({*by_batch, *by_side})


def contenders(batch: int, size: int, device: str) -> dict[str, Callable[[], object]]:
    """What warps a float batch of images, each with its default settings."""
    images = torch.rand(batch, 3, size, size, device=device)
    warp = LocalWarp()
    drawn = warp.draw(batch, device=device)
    grid = sampling_grid(identity_affine(batch, images), (size, size), drawn)
    grid = grid.contiguous()
    elastic, spline = (
        kind(p=1.0) for kind in (K.RandomElasticTransform, K.RandomThinPlateSpline)
    )
    one_field = v2.ElasticTransform()
    copy = torch.empty_like(images)
    still, planes = identity_affine(batch, images), grid.permute(0, 3, 1, 2)
    planes = planes.contiguous().permute(0, 2, 3, 1)  # as sampling_grid makes them
    return {
        OURS: lambda: warp(images),
        f"{SHARE}drawing": lambda: warp.draw(batch, device=device),
        f"{SHARE}the grid": lambda: sampling_grid(still, (size, size), drawn),
        f"{SHARE}sampling, mirrored at the rim": lambda: sample(images, planes),
        _KORNIA[0]: lambda: elastic(images),
        _KORNIA[1]: lambda: spline(images),
        _ONE_FIELD: lambda: one_field(images),
        _PLAIN: lambda: F.grid_sample(images, grid, align_corners=False),
        _FLOOR: lambda: copy.copy_(images),
    }


def _table(batch: int, size: int, times: dict[str, list[float]], scale: Scale) -> Table:
    growth = []
    if size in scale.sizes[-2:]:
        growth.append(Growth(f"{size} px", "images a batch", batch))
    if batch == middle(scale.batches):
        growth.append(Growth(f"batches of {batch}", "side in pixels", size))
    return table_of_times(
        f"{size} px, batch {batch}", times, OURS, per=batch, roles=_ROLES,
        growth=growth,
    )  # fmt: skip
