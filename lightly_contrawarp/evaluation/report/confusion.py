"""The confusion matrix with the share of each class that is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import binomtest

from lightly_contrawarp.evaluation.tables import percent, with_interval


def confusion_rows(
    confusion: Sequence[Sequence[int]], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """The rows of a confusion matrix for the template.

    Args:
        confusion: Number of items by true class (row) and predicted class (column).
        classes: Names of the classes.

    Returns:
        For each class with test items its ``name``, number of ``images``, ``share``
        that is right, the same as text with its 95 % Wilson interval (``recall``), and
        ``cells`` with ``share`` of the class, ``count`` and whether they are ``right``.
    """
    rows = []
    for label, (name, counts) in enumerate(zip(classes, confusion, strict=True)):
        total = int(np.sum(counts))
        if not total:
            continue
        hits = int(counts[label])
        interval = binomtest(hits, total).proportion_ci(method="wilson")
        rows.append(
            {
                "name": name,
                "images": total,
                "share": hits / total,
                "recall": with_interval(hits / total, interval),
                "cells": [
                    {
                        "share": count / total,
                        "text": percent(count / total),
                        "count": int(count),
                        "right": column == label,
                    }
                    for column, count in enumerate(counts)
                ],
            }
        )
    return rows
