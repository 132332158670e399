"""An encoder's agreement with Google's facial expression comparisons."""

from __future__ import annotations

import numpy as np

from lightly_contrawarp.data.sets import FecTriplets
from lightly_contrawarp.evaluation.features import Features
from lightly_contrawarp.evaluation.triplets import TripletResult, triplet_accuracy


def fec_accuracy(faces: Features, comparisons: FecTriplets) -> TripletResult:
    """Compares which faces of a triplet are closest with people's choice.

    Args:
        faces: Features of ``comparisons.faces``.
        comparisons: What `read_fec_triplets` returned. A triplet with a face that
            could not be read is left out.

    Raises:
        InputError: See `triplet_accuracy`.
    """
    row = np.full(len(comparisons.faces), -1)
    row[faces.rows] = np.arange(len(faces.rows))
    triplets = row[comparisons.triplets]
    whole = (triplets >= 0).all(axis=1)
    return triplet_accuracy(
        faces.values,
        triplets[whole],
        comparisons.odd[whole],
        np.asarray(comparisons.kinds)[whole].tolist(),
    )
