"""What the frozen features of a run are worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.quality.images import Images
from benchmarks.quality.learners import warped
from lightly_contrawarp import LocalWarp
from lightly_contrawarp.data.synthetic import ACTIONS, DrawnFaces
from lightly_contrawarp.evaluation.measures.identity import identity_leakage
from lightly_contrawarp.evaluation.measures.knn_probe import knn_probe
from lightly_contrawarp.evaluation.measures.linear_probe import fit_probe, linear_probe
from lightly_contrawarp.evaluation.measures.regression import regression_probe
from lightly_contrawarp.evaluation.measures.retrieval import retrieval
from lightly_contrawarp.models.embedding.spatial import SpatialFeatures
from lightly_contrawarp.models.preprocessing import preprocess

Values = NDArray[np.float32]

_BATCH = 512
_CURVE_IMAGES = 4000  # training images of the quick probe for the plot
_SPATIAL_IMAGES = 9000
_WARP_IMAGES = 2000


@torch.inference_mode()
def encode(encoder: nn.Module, pixels: Tensor, size: int) -> Values:
    """Features ``[N, D]`` of images ``[N, C, H, W]`` with values from 0 to 255."""
    device = next(encoder.parameters()).device
    encoder.eval()
    features = []
    for some in torch.split(pixels, _BATCH):
        batch = preprocess(some.to(device).expand(-1, 3, -1, -1), size)
        features.append(encoder(batch).flatten(1).float().cpu().numpy())
    return np.concatenate(features)


def quick_accuracy(encoder: nn.Module, train: Images, test: Images, size: int) -> float:
    """Linear probe on some training images with a fixed penalty, for the plot."""
    some = train.spread(_CURVE_IMAGES)
    probe = fit_probe(encode(encoder, some.pixels, size), _numpy(some.labels), 0.1)
    truth = _numpy(test.labels)
    return float(probe.score(encode(encoder, test.pixels, size), truth))


def judge(
    encoder: nn.Module, train: Images, test: Images, size: int, seed: int
) -> dict[str, Any]:
    """Probes of the frozen features.

    Args:
        encoder: The backbone.
        train: What the probes learn from.
        test: What they are scored on.
        size: Input size of the encoder.
        seed: Draws the images on which the penalty is chosen.

    Returns:
        Fractions by name.
    """
    classes = int(train.labels.max()) + 1
    truth, answers = _numpy(train.labels), _numpy(test.labels)
    features = [encode(encoder, images.pixels, size) for images in (train, test)]
    arrays = (features[0], truth, features[1], answers)
    linear = linear_probe(*arrays, seeds=(seed,), num_classes=classes)
    (neighbours,) = knn_probe(*arrays, num_classes=classes, ks=(20,))
    return {
        "linear": linear.accuracy,
        "mean_class": linear.mean_class_accuracy,
        "macro_f1": linear.macro_f1,
        "c": linear.runs[0].c,
        "knn20": neighbours.scores.accuracy,
        "feature_size": linear.feature_size,
    }


def judge_spatial(encoder: nn.Module, train: Images, test: Images, size: int) -> float:
    """Accuracy of the linear probe on a 3 x 3 map of features."""
    spatial = SpatialFeatures(encoder, size)
    some = train.spread(_SPATIAL_IMAGES)
    features = [encode(spatial, images.pixels, size) for images in (some, test)]
    return linear_probe(
        features[0], _numpy(some.labels), features[1], _numpy(test.labels),
        seeds=(0,), num_classes=int(train.labels.max()) + 1,
    ).accuracy  # fmt: skip


def tells_warped(encoder: nn.Module, train: Images, test: Images, size: int) -> float:
    """Accuracy of a linear probe that tells warped faces from unwarped ones.

    Both pass through the same sampler. Half is chance.
    """
    generator = torch.Generator().manual_seed(0)
    values, labels = [], []
    for images in (train, test):
        some = images.spread(_WARP_IMAGES).pixels.cpu().float()
        warp = LocalWarp().draw(len(some), generator=generator)
        both = torch.cat([warped(some, warp), warped(some, warp.stilled())])
        values.append(encode(encoder, both, size))
        labels.append(np.repeat([1, 0], len(some)))
    return float(fit_probe(values[0], labels[0], 0.1).score(values[1], labels[1]))


def judge_drawn(
    encoder: nn.Module, train: DrawnFaces, test: DrawnFaces, size: int, seed: int
) -> dict[str, Any]:
    """Emotion, continuous actions and identity on drawn faces of unseen people."""
    values = [encode(encoder, faces.images, size) for faces in (train, test)]
    labels = [_numpy(faces.labels) for faces in (train, test)]
    emotion = linear_probe(
        values[0], labels[0], values[1], labels[1],
        seeds=(seed,), num_classes=len(train.classes),
    )  # fmt: skip
    targets = [
        dict(zip(ACTIONS, faces.actions.numpy().T, strict=True))
        for faces in (train, test)
    ]
    actions = regression_probe(values[0], targets[0], values[1], targets[1])
    people = _numpy(test.identities)
    leakage = identity_leakage(values[1], labels[1], people)
    others = retrieval(values[1], labels[1], identities=people)
    return {
        "emotion": emotion.accuracy,
        "actions_r2": actions.mean.value,
        "verification_auc": leakage.verification_auc.value,
        "same_person_share": leakage.same_person_share.value,
        "p10_others": others.precision_at_10.value,
    }


def _numpy(labels: Tensor) -> NDArray[np.int64]:
    array: NDArray[np.int64] = labels.cpu().numpy()
    return array
