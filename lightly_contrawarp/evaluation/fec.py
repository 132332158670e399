"""An encoder's agreement with Google's facial expression comparisons."""

from __future__ import annotations

import numpy as np

from lightly_contrawarp.data.sets import FecFaces, FecTriplets
from lightly_contrawarp.evaluation.encoders import Encoder
from lightly_contrawarp.evaluation.features import extract_features
from lightly_contrawarp.evaluation.triplets import TripletResult, triplet_accuracy


def fec_accuracy(
    encoder: Encoder,
    comparisons: FecTriplets,
    *,
    batch_size: int = 256,
    workers: int = 0,
) -> TripletResult:
    """Embeds the faces of triplets, each once, and compares with people's choice.

    Args:
        encoder: The encoder.
        comparisons: What `read_fec_triplets` returned. A triplet with a face that
            cannot be read is left out.
        batch_size: Images in a batch.
        workers: Processes that decode images.

    Raises:
        InputError: See `extract_features` and `triplet_accuracy`.
    """
    faces = FecFaces(comparisons.faces)
    features = extract_features(encoder, faces, batch_size=batch_size, workers=workers)
    row = np.full(len(faces), -1)
    row[features.rows] = np.arange(len(features.rows))
    triplets = row[comparisons.triplets]
    whole = (triplets >= 0).all(axis=1)
    return triplet_accuracy(
        features.values,
        triplets[whole],
        comparisons.odd[whole],
        np.asarray(comparisons.kinds)[whole].tolist(),
    )
