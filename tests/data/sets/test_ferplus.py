from pathlib import Path

import numpy as np
import pytest

from contrawarp_edge.core.errors import InputError
from helpers import write
from lightly_contrawarp.data.sets import available_splits, open_set
from lightly_contrawarp.data.sets.ferplus import majority

pytestmark = pytest.mark.filterwarnings("ignore:.*the full set has")
COLUMNS = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"),
    *("contempt", "unknown", "NF"),
)
HEADER = "Usage,Image name," + ",".join(COLUMNS)
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 48 * 48), dtype=np.uint8)
USAGES = (*["Training"] * 10, "PublicTest", "PrivateTest")
VOTES = [
    *("8,0,0,0,0,0,0,0,2,0", "0,10,0,0,0,0,0,0,0,0", "0,0,6,0,0,0,4,0,0,0"),
    *("2,0,0,8,0,0,0,0,0,0", "2,0,0,0,8,0,0,0,0,0", "1,0,0,0,1,7,1,0,0,0"),
    *("0,0,2,0,0,0,8,0,0,0", "0,0,0,0,1,0,0,9,0,0", "0,0,0,0,0,0,0,0,8,2"),
    *("0,0,0,0,0,0,0,0,0,10", "4,4,0,0,2,0,0,0,0,0", "1,5,0,0,1,1,1,1,0,0"),
]
LABELS = ("neutral", "happy", "surprise", "sad", "anger", "disgust", "fear", "contempt")


def _write(
    root: Path, usages: tuple[str, ...] = USAGES, votes: list[str] | None = None
) -> str:
    images = [
        f"0,{' '.join(map(str, pixels))},{usage}"
        for pixels, usage in zip(PIXELS, USAGES, strict=True)
    ]
    rows = [f"{usage},,{vote}" for usage, vote in zip(usages, votes or VOTES)]  # noqa: B905
    write(root / "fer2013.csv", "emotion,pixels,Usage", *images)
    write(root / "fer2013new.csv", HEADER, *rows)
    return f"FER+={root}"


def test_votes(tmp_path: Path) -> None:
    spec = _write(tmp_path)
    assert available_splits(spec) == ("train", "validation", "test")
    train = open_set(spec, "train")
    assert [train.classes[label] for label in train.labels] == [*LABELS]
    for number, (image, _) in enumerate(train):
        grey = np.asarray(image)[..., 0]
        np.testing.assert_array_equal(grey, PIXELS[number].reshape(48, 48))
    assert open_set(spec, "test").classes == ["happy"]
    with pytest.raises(InputError, match="no labelled face in its split validation"):
        open_set(spec, "validation")


def _majority_reference(votes: list[int]) -> int | None:
    """The authors' rule, on arrays; the position of a column or nothing."""
    counted = np.where(np.asarray(votes) > 1, votes, 0)
    if counted.max() <= counted.sum() / 2 or counted.argmax() >= 8:
        return None
    return int(counted.argmax())


def test_majority__is_the_authors_rule() -> None:
    rng = np.random.default_rng(0)
    outcomes = set()
    for _ in range(500):
        votes = rng.multinomial(10, rng.dirichlet(np.full(10, 0.3))).tolist()
        expected = _majority_reference(votes)
        outcomes.add(expected)
        label = None if expected is None else LABELS[expected]
        assert majority(dict(zip(COLUMNS, votes, strict=True))) == label
    assert outcomes == {None, *range(8)}


def test_drop_duplicates(tmp_path: Path) -> None:
    # The image of train has no majority, but it was seen all the same.
    votes = [*VOTES[:10], VOTES[1], VOTES[1]]
    spec = _write(tmp_path, votes=votes)
    path = tmp_path / "fer2013.csv"
    lines = path.read_text().splitlines()
    lines[12] = lines[10].replace("Training", "PrivateTest")
    write(path, *lines)
    assert len(open_set(spec, "test")) == 1
    assert len(open_set(spec, "validation", drop_duplicates=True)) == 1
    with pytest.raises(InputError, match="no labelled face in its split test"):
        open_set(spec, "test", drop_duplicates=True)


@pytest.mark.parametrize(
    ("usages", "votes", "message"),
    [
        (USAGES[:-1], VOTES, "has not as many rows as .*both must be complete"),
        ((*USAGES, "PrivateTest"), [*VOTES, VOTES[0]], "has not as many rows"),
        (
            (*USAGES[:10], *USAGES[:9:-1]),
            VOTES,
            "line 12: is of another split than .*12",
        ),
        (USAGES, [*VOTES[:-1], "1,2"], "line 13: 4 columns; expected 12"),
        (
            USAGES,
            [*VOTES[:-1], VOTES[0].replace("8", "x")],
            "line 13: 'x' is no number",
        ),
    ],
)
def test_bad_votes(
    tmp_path: Path, usages: tuple[str, ...], votes: list[str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        open_set(_write(tmp_path, usages, votes), "train")


def test_wrong_folder(tmp_path: Path) -> None:
    spec = f"ferplus={tmp_path}"
    with pytest.raises(InputError, match=r"no FER\+ here; expected fer2013new\.csv"):
        open_set(spec, "train")
    votes = write(tmp_path / "fer2013new.csv", "Usage,neutral")
    with pytest.raises(InputError, match=r"holds fer2013new\.csv but no fer2013\.csv"):
        open_set(spec, "train")
    write(tmp_path / "fer2013.csv", "emotion,pixels,Usage")
    with pytest.raises(InputError, match=r"fer2013new\.csv: no column NF, anger"):
        open_set(spec, "train")
    votes.write_text("")
    with pytest.raises(InputError, match=r"fer2013new\.csv: no column NF, Usage"):
        open_set(spec, "train")
