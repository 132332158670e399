"""ContraWarpTransform: Lightly's contract, kinds of images, what views share."""

import pickle

import matplotlib
import pytest
import torch
from lightly.data import LightlyDataset, MultiViewCollate
from lightly.transforms.multi_view_transform import MultiViewTransform
from lightly.utils.debug import plot_augmented_images
from PIL import Image
from torch.utils.data import DataLoader
from torchvision.transforms.v2 import functional as TF

from contrawarp_edge.align.crop import FACE_CROP
from contrawarp_edge.core.errors import InputError
from lightly_contrawarp import ContraWarpTransform, ContraWarpViewTransform, LocalWarp
from lightly_contrawarp.transforms.pairing import number_of_views

PLAIN = {
    "cj_prob": 0.0,
    "random_gray_scale": 0.0,
    "gaussian_blur": 0.0,
    "normalize": None,
}
STILL = {**PLAIN, "min_scale": 1.0, "hf_prob": 0.0, "rr_prob": 0.0}


def plain(size: int = 64, **settings: object) -> ContraWarpViewTransform:
    return ContraWarpViewTransform(size, **{**STILL, **settings})


def transform_of(
    view: ContraWarpViewTransform, **settings: object
) -> ContraWarpTransform:
    return ContraWarpTransform(view_1_transform=view, view_2_transform=view, **settings)


@pytest.mark.parametrize(
    ("num_negatives", "pairing", "count"),
    [
        (0, "unpaired", 2),
        (1, "unpaired", 3),
        (3, "unpaired", 5),
        (0, "paired", 2),
        (3, "paired", 8),
        (0, "single", 1),
        (3, "single", 4),
    ],
)
@pytest.mark.parametrize("kind", ["pil", "gray", "palette", "uint8", "float", "one"])
def test_views_of_every_kind_of_image(
    num_negatives: int, pairing: str, count: int, kind: str, faces: torch.Tensor
) -> None:
    image = {
        "pil": TF.to_pil_image(faces[0]),
        "gray": TF.to_pil_image(faces[0]).convert("L"),
        "palette": TF.to_pil_image(faces[0]).convert("P"),
        "uint8": faces[0],
        "float": faces[0] / 255,
        "one": faces[0, :1],
    }[kind]
    transform = ContraWarpTransform(48, num_negatives, pairing)
    assert isinstance(transform, MultiViewTransform)
    views = transform(image)
    if num_negatives:
        actions = views.pop()
        assert (actions.shape, actions.dtype) == ((num_negatives, 10), torch.float32)
        assert ((actions != 0).sum(1) >= 2).all()
    assert len(views) == count == len(transform.transforms)
    assert count == number_of_views(num_negatives, pairing)
    for view in views:
        assert view.shape == (3, 48, 48)
        assert view.dtype == torch.float32
        assert view.isfinite().all()


@pytest.mark.parametrize("size", [(64, 64), (150, 97), (40, 160)])
def test_pil_and_tensors_give_the_same_views(
    size: tuple[int, int], pil_faces: list[Image.Image]
) -> None:
    image = pil_faces[1].resize(size)
    settings = {"cj_prob": 1.0, "cj_hue": 0.0, "cj_sat": 0.0, "gaussian_blur": 0.0}
    view = ContraWarpViewTransform(48, normalize=None, **settings)
    transform = transform_of(view, num_negatives=2)
    results = []
    for kind in (image, TF.pil_to_tensor(image), TF.pil_to_tensor(image) / 255):
        torch.manual_seed(4)
        results.append(torch.stack(transform(kind)[:-1]))
    torch.testing.assert_close(results[1], results[2], atol=0.01, rtol=0)
    assert (results[0] - results[1]).abs().mean() < 0.01  # PIL rounds to 8 bits


def test_unwarped_views_are_the_image_and_warped_ones_are_not(
    faces: torch.Tensor,
) -> None:
    transform = transform_of(plain(), num_negatives=2, pairing="unpaired")
    first, second, *warped, _ = transform(faces[0])
    torch.testing.assert_close(first, faces[0] / 255, atol=1e-4, rtol=0)
    torch.testing.assert_close(second, faces[0] / 255, atol=1e-4, rtol=0)
    assert all((view - first).abs().mean() > 0.005 for view in warped)
    assert not torch.equal(*warped)


def test_paired_views_share_their_warp(faces: torch.Tensor) -> None:
    *views, _ = transform_of(plain(), num_negatives=2)(faces[0])
    for left, right in zip(views[::2], views[1::2], strict=True):
        torch.testing.assert_close(left, right)
    assert (views[2] - views[4]).abs().mean() > 0.005


def test_flips_are_shared_within_an_image_or_not(faces: torch.Tensor) -> None:
    torch.manual_seed(0)
    view = plain(hf_prob=0.5)
    shared = transform_of(view, num_negatives=0)
    free = transform_of(view, num_negatives=0, share_flip=False)
    same = [torch.equal(*shared(faces[0])) for _ in range(30)]
    assert all(same)
    flips = {
        float(shared(faces[0])[0].sum() * 0 + shared(faces[0])[0][0, 0, 0])
        for _ in range(30)
    }
    assert len(flips) > 1
    assert len({torch.equal(*free(faces[0])) for _ in range(30)}) == 2


def test_zero_strength_negatives_are_resampled_positives(faces: torch.Tensor) -> None:
    warp = LocalWarp(strength=(0.0, 0.0))
    transform = transform_of(plain(), num_negatives=1, pairing="single", warp=warp)
    views = transform(faces[0])
    assert len(views) == 2
    assert torch.equal(*views)


def test_large_sources_do_not_alias() -> None:
    stripes = torch.zeros(3, 256, 256, dtype=torch.uint8)
    stripes[:, :, ::2] = 255
    view = plain(32)(stripes)
    assert (view - 0.5).abs().max() < 0.05


def test_torch_seed_decides_everything(pil_faces: list[Image.Image]) -> None:
    strong = ContraWarpViewTransform(
        48, solarization_prob=0.5, rr_prob=1.0, vf_prob=0.5
    )
    transform = transform_of(strong, num_negatives=1)
    torch.manual_seed(5)
    first = transform(pil_faces[0])
    torch.manual_seed(5)
    again = transform(pil_faces[0])
    other = transform(pil_faces[0])
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_lightly_dataset_collates_and_seeded_workers(face_folder) -> None:
    transform = ContraWarpTransform(32, 2, "unpaired")
    dataset = LightlyDataset(str(face_folder), transform)

    def batch(workers: int, collate: object = None) -> list[torch.Tensor]:
        torch.manual_seed(9)
        loader = DataLoader(
            dataset, 4, shuffle=True, num_workers=workers, collate_fn=collate
        )
        return next(iter(loader))[0]

    views = batch(2)
    assert [tuple(x.shape) for x in views] == [(4, 3, 32, 32)] * 4 + [(4, 2, 10)]
    drawn = (views[-1] != 0).sum(-1)
    assert drawn.min() >= 2
    assert drawn.max() <= 3
    assert all(torch.equal(a, b) for a, b in zip(views, batch(2), strict=True))
    collated = batch(2, MultiViewCollate())
    assert all(torch.equal(a, b) for a, b in zip(views, collated, strict=True))


def test_plot_augmented_images(pil_faces: list[Image.Image]) -> None:
    matplotlib.use("Agg")
    transform = ContraWarpTransform(32, 2, "unpaired")
    figure = plot_augmented_images(pil_faces[:2], transform)
    assert len(figure.axes) == 2 * 5
    shown = figure.axes[4].get_images()[0].get_array()
    assert shown.shape == (32, 32, 3)


def test_what_is_plotted_is_the_view(pil_faces: list[Image.Image]) -> None:
    view = ContraWarpViewTransform(48, warp=LocalWarp())
    made = []
    for make in (view, view.transform):
        torch.manual_seed(8)
        made.append(make(pil_faces[0]))
    # A bit in 255 is 0.02, normalised.
    torch.testing.assert_close(made[1], made[0], atol=0.01, rtol=0)


def test_a_pickled_transform_makes_the_same_views(
    pil_faces: list[Image.Image],
) -> None:
    transform = transform_of(ContraWarpViewTransform(48), num_negatives=2)
    views = []
    for one in (transform, pickle.loads(pickle.dumps(transform))):
        torch.manual_seed(3)
        views.append(one(pil_faces[0]))
    assert all(torch.equal(a, b) for a, b in zip(*views, strict=True))


def test_a_view_with_a_warp_of_its_own(faces: torch.Tensor) -> None:
    view = plain().with_warp(LocalWarp())
    assert (view(faces[0]) - faces[0] / 255).abs().mean() > 0.005
    torch.testing.assert_close(plain()(faces[0]), faces[0] / 255, atol=1e-4, rtol=0)


def test_wrong_input() -> None:
    with pytest.raises(ValueError, match="num_negatives"):
        ContraWarpTransform(num_negatives=-1)
    with pytest.raises(InputError, match="or 'single', got 'double'"):
        ContraWarpTransform(pairing="double")
    with pytest.raises(ValueError, match=r"\[1 or 3, H, W\], got \[4, 8, 8\]"):
        ContraWarpTransform()(torch.rand(4, 8, 8))


def template() -> torch.Tensor:
    return torch.tensor(list(FACE_CROP.landmarks.values()))


def test_landmarks_decide_where_views_are_warped(faces: torch.Tensor) -> None:
    """A small face in a corner: the rest of the picture stays as it is."""
    transform = transform_of(plain(), num_negatives=2)
    small = 0.1 + 0.3 * template()
    for _ in range(5):
        views = torch.stack(transform(faces[0], landmarks=small)[:-1])
        change = (views - faces[0] / 255).abs().amax(1)
        assert change[:2].max() < 1e-4
        assert change[2:].amax((1, 2)).min() > 0.02
        assert change[:, 40:, 40:].max() < 1e-4


@pytest.mark.parametrize(
    ("num_negatives", "pairing", "frames"),
    [
        (0, "paired", [0, 1]),
        (0, "unpaired", [0, 1]),
        (0, "single", [0]),
        (2, "paired", [0, 1, 0, 1, 0, 1]),
        (2, "unpaired", [0, 1, 0, 0]),
        (2, "single", [0, 1, 1]),
    ],
)
@pytest.mark.parametrize("kind", ["pil", "tensor"])
def test_second_views_show_the_neighbour(
    num_negatives: int,
    pairing: str,
    frames: list[int],
    kind: str,
    faces: torch.Tensor,
    pil_faces: list[Image.Image],
) -> None:
    warp = LocalWarp(strength=(0.0, 0.0))
    transform = transform_of(
        plain(), num_negatives=num_negatives, pairing=pairing, warp=warp
    )
    assert transform.frames == frames
    pair = (pil_faces if kind == "pil" else faces)[:2]
    landmarks = template().repeat(2, 1, 1)
    for views in (
        transform(pair[0], neighbour=pair[1]),
        transform(pair[0], landmarks, pair[1]),
    ):
        expected = faces[:2][frames] / 255
        torch.testing.assert_close(torch.stack(views), expected, atol=0.01, rtol=0)


def test_warps_follow_the_face_to_the_neighbour(faces: torch.Tensor) -> None:
    """A neighbour that is the same picture, shifted: its views are shifted ones."""
    torch.manual_seed(2)
    transform = transform_of(plain(), num_negatives=2)
    shifted = faces[0].roll(8, dims=2)  # an eighth of the width
    small = 0.3 + 0.3 * template()
    landmarks = torch.stack([small, small + torch.tensor([0.125, 0.0])])
    *views, _ = transform(faces[0], landmarks, shifted)
    for one, other in zip(views[::2], views[1::2], strict=True):
        apart = (other - one.roll(8, dims=2)).abs()
        assert apart[..., 9:].mean() < 1e-3  # the field is interpolated
        assert apart[..., 9:].max() < 0.1
    assert (views[2] - views[0]).abs().max() > 0.2


def test_drawn_warps_can_be_replayed_on_both_frames(faces: torch.Tensor) -> None:
    transform = transform_of(plain(), num_negatives=1)
    landmarks = torch.stack([template(), 0.1 + 0.8 * template()])
    warps = transform.draw_warps(1, landmarks[None])
    assert [len(frame) for frame in warps] == [2, 2]
    assert all(not frame[0].vectors.any() for frame in warps)
    views = transform.views(faces[0], warps[0], (faces[1], warps[1]))
    again = transform.views(faces[0], warps[0], (faces[1], warps[1]))
    assert all(torch.equal(a, b) for a, b in zip(views, again, strict=True))
    expected = transform.warp(faces[1:2] / 255, warps[1][1])[0]
    torch.testing.assert_close(views[3], expected, atol=1e-4, rtol=0)
