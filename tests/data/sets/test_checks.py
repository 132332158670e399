import warnings

import pytest

from lightly_contrawarp.data.sets.checks import check_count


def test_check_count() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_count("set", 5, 4, 5)
        check_count("set", 5)
    message = "^set train: 1,234 labels found, the full set has 5,678 or 9$"
    with pytest.warns(UserWarning, match=message):
        check_count("set train", 1_234, 5_678, 9)
