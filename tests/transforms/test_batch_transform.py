"""Batches of views: each image and view has what was drawn for it."""

import pytest
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as TF

from contrawarp_edge.align.crop import FACE_CROP
from contrawarp_edge.core.errors import InputError
from lightly_contrawarp import ContraWarpTransform, ContraWarpViewTransform, LocalWarp
from lightly_contrawarp.transforms.batch_transform import ContraWarpBatchTransform
from lightly_contrawarp.transforms.geometry.sampling_grid import sample, sampling_grid

SIZE = 48
STILL = {
    "cj_prob": 0,
    "random_gray_scale": 0,
    "gaussian_blur": 0,
    "min_scale": 1.0,
    "hf_prob": 0,
    "rr_prob": 0,
    "normalize": None,
}


def test_statistics_are_those_of_torchvisions_transforms(faces: torch.Tensor) -> None:
    torch.manual_seed(0)
    sigmas = (0.1, 1.5)
    view = ContraWarpViewTransform(SIZE, rr_prob=0, sigmas=sigmas, normalize=None)
    transform = ContraWarpTransform(
        num_negatives=0, view_1_transform=view, view_2_transform=view
    )
    reference = v2.Compose(
        [
            v2.RandomResizedCrop(SIZE, scale=(0.5, 1.0)),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.2, 0.1)], p=0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomApply([v2.GaussianBlur(9, sigmas)], p=0.5),
        ]
    )
    repeated = faces[:4].repeat(60, 1, 1, 1)
    expected = torch.stack([reference(face / 255) for face in repeated])
    batched = ContraWarpBatchTransform(transform)
    # The order of the colour steps is one draw for a batch.
    ours = [torch.cat(v) for v in zip(*map(batched, repeated.split(20)), strict=True)]
    ours.append(torch.stack([view(face) for face in repeated]))
    for views in ours:
        assert views.shape == expected.shape
        for statistic in (
            lambda x: x.mean((1, 2, 3)),
            lambda x: x.std((1, 2, 3)),
            lambda x: (x[..., 1:] - x[..., :-1]).abs().mean((1, 2, 3)),  # sharpness
            lambda x: (x[:, 0] - x[:, 2]).abs().mean((1, 2)),  # colour
        ):
            a, b = statistic(expected), statistic(views)
            spread = float(a.std()) + 1e-3
            assert abs(float(a.mean() - b.mean())) < 0.25 * spread
            assert 0.7 < float(b.std() / spread) < 1.4


def test_without_randomness_it_is_the_resized_image(faces: torch.Tensor) -> None:
    still = ContraWarpViewTransform(64, **STILL)
    transform = ContraWarpTransform(
        num_negatives=1,
        warp=LocalWarp(strength=(0, 0)),
        view_1_transform=still,
        view_2_transform=still,
    )
    views = ContraWarpBatchTransform(transform)(faces[:5])
    for view in views:
        torch.testing.assert_close(view, faces[:5] / 255, atol=1e-4, rtol=0)


def test_images_of_a_batch_differ_and_seeds_decide(faces: torch.Tensor) -> None:
    batched = ContraWarpBatchTransform(ContraWarpTransform(SIZE))
    same = faces[:1].repeat(4, 1, 1, 1)
    torch.manual_seed(1)
    first = batched(same)
    torch.manual_seed(1)
    again = batched(same.float() / 255)
    assert not torch.equal(first[0][0], first[0][1])
    for one, other in zip(first, again, strict=True):
        torch.testing.assert_close(one, other)


def test_gray_images_get_the_views_of_their_copy_in_three_channels(
    faces: torch.Tensor,
) -> None:
    batched = ContraWarpBatchTransform(
        ContraWarpTransform(
            view_1_transform=ContraWarpViewTransform(SIZE, solarization_prob=0.5),
            view_2_transform=ContraWarpViewTransform(SIZE, random_gray_scale=0.5),
        )
    )
    gray = faces[:8, :1]
    torch.manual_seed(2)
    views = batched(gray)[:-1]
    torch.manual_seed(2)
    expected = batched(gray.expand(-1, 3, -1, -1))[:-1]
    for one, other in zip(views, expected, strict=True):
        assert one.shape == (8, 3, SIZE, SIZE)
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


def test_what_a_cpu_makes_at_a_time_does_not_matter(
    faces: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    batched = ContraWarpBatchTransform(ContraWarpTransform(SIZE, num_negatives=2))
    drawn = []
    for values in (1, 5 * 6 * 3 * SIZE**2, 10**9):
        monkeypatch.setattr(
            "lightly_contrawarp.transforms.views._VALUES_AT_A_TIME", values
        )
        torch.manual_seed(3)
        larger = TF.resize(faces, [2 * SIZE, 3 * SIZE])  # than any view shows
        drawn.append(torch.stack(batched(larger)[:-1]))
    for views in drawn[1:]:
        torch.testing.assert_close(views, drawn[0], atol=1e-4, rtol=0)


def test_every_view_is_that_of_its_own_warp_and_affine(faces: torch.Tensor) -> None:
    plain = ContraWarpViewTransform(
        SIZE, cj_prob=0, random_gray_scale=0, gaussian_blur=0, normalize=None
    )
    transform = ContraWarpTransform(
        num_negatives=1, view_1_transform=plain, view_2_transform=plain
    )
    batched = ContraWarpBatchTransform(transform)
    warps = [transform.warp.draw(3).stilled(), transform.warp.draw(3)]
    torch.manual_seed(4)
    views = batched.views(faces[:3], warps)
    torch.manual_seed(4)
    geometry = plain.settings.geometry
    flips = geometry.draw_flips(3)
    maps = geometry.draw(3 * 4, 1.0, flips.repeat_interleave(4, dim=0))
    maps = maps.unflatten(0, (3, 4))  # the views of an image are drawn together
    for place, (view, face) in enumerate(zip(views, transform.faces, strict=True)):
        grid = sampling_grid(maps[:, place], (SIZE, SIZE), warps[face])
        expected = sample(faces[:3] / 255, grid)
        torch.testing.assert_close(view, expected, atol=1e-5, rtol=0)


def test_autocast_does_not_touch_views(faces: torch.Tensor) -> None:
    batched = ContraWarpBatchTransform(ContraWarpTransform(SIZE))
    torch.manual_seed(5)
    expected = batched(faces[:8])
    torch.manual_seed(5)
    with torch.autocast("cpu", torch.bfloat16):
        views = batched(faces[:8])
    for one, other in zip(views, expected, strict=True):
        assert torch.equal(one, other)


def test_views_may_differ_in_size_and_normalisation(faces: torch.Tensor) -> None:
    plain = {**STILL, "hf_prob": 1.0}
    transform = ContraWarpTransform(
        warp=LocalWarp(strength=(0, 0)),
        view_1_transform=ContraWarpViewTransform(64, **plain),
        view_2_transform=ContraWarpViewTransform(
            32, **{**plain, "normalize": {"mean": [0.5] * 3, "std": [0.25] * 3}}
        ),
    )
    flipped = faces[:3].flip(-1) / 255
    halved = TF.resize(flipped, [32, 32], antialias=True)
    expected = [flipped, (halved - 0.5) / 0.25] * 2
    views = ContraWarpBatchTransform(transform)(faces[:3])
    for view, picture in zip(views, expected, strict=True):
        torch.testing.assert_close(view, picture, atol=1e-4, rtol=0)


def test_a_cpu_batch_is_looked_at_whatever_came_before(faces: torch.Tensor) -> None:
    batched = ContraWarpBatchTransform(ContraWarpTransform(SIZE))
    batched._range_is_known = True  # as after a batch on a GPU
    with pytest.raises(InputError, match="divide by 255"):
        batched(faces[:2].float())


def test_a_batch_gets_what_its_images_get_one_by_one(faces: torch.Tensor) -> None:
    view = ContraWarpViewTransform(SIZE, **STILL)
    transform = ContraWarpTransform(
        num_negatives=2, view_1_transform=view, view_2_transform=view
    )
    warps = transform.draw_warps(4)[0]
    batch = ContraWarpBatchTransform(transform).views(faces[:4], warps)
    for place in range(4):
        own = [warp.select(slice(place, place + 1)) for warp in warps]
        views = torch.stack(transform.views(faces[place], own))
        together = torch.stack(batch)[:, place]
        torch.testing.assert_close(views, together, atol=1e-5, rtol=0)
        one, all_of_them = transform.actions(own)[0], transform.actions(warps)[0]
        assert torch.equal(one[0], all_of_them[place])


def test_wrong_shape() -> None:
    batched = ContraWarpBatchTransform(ContraWarpTransform(SIZE))
    with pytest.raises(ValueError, match=r"\[B, 1 or 3, H, W\], got \[3, 8, 8\]"):
        batched(torch.rand(3, 8, 8))
    with pytest.raises(ValueError, match=r"\[B, 1 or 3, H, W\], got \[3, 8, 8\]"):
        batched(torch.rand(3, 3, 8, 8), neighbours=torch.rand(3, 8, 8))
    with pytest.raises(ValueError, match="landmarks must have shape"):
        batched(torch.rand(3, 3, 8, 8), torch.rand(3, 5, 2))


@pytest.mark.parametrize(
    ("num_negatives", "pairing"),
    [(0, "paired"), (2, "paired"), (2, "unpaired"), (0, "single"), (2, "single")],
)
@pytest.mark.parametrize("guided", [False, True])
def test_second_views_show_the_neighbours_warped_alike(
    num_negatives: int, pairing: str, guided: bool, faces: torch.Tensor
) -> None:
    still = ContraWarpViewTransform(64, **STILL)
    transform = ContraWarpTransform(
        num_negatives=num_negatives,
        pairing=pairing,
        view_1_transform=still,
        view_2_transform=still,
    )
    images, others = faces[:3], faces[3:6]
    template = torch.tensor(list(FACE_CROP.landmarks.values()))
    landmarks = template + 0.05 * torch.randn(3, 2, 8, 2) if guided else None
    torch.manual_seed(6)
    views = ContraWarpBatchTransform(transform)(images, landmarks, others)
    torch.manual_seed(6)
    warps = transform.draw_warps(3, landmarks)
    if num_negatives:
        said = torch.stack([warp.actions for warp in warps[-1][1:]], dim=1)
        torch.testing.assert_close(views.pop(), said)
    assert len(warps) == (2 if guided else 1)
    sources = images / 255, others / 255
    for view, face, frame in zip(views, transform.faces, transform.frames, strict=True):
        warp = warps[frame if guided else 0][face]
        expected = transform.warp(sources[frame], warp)
        torch.testing.assert_close(view, expected, atol=1e-4, rtol=0)
