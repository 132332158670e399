import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from torch import nn

from helpers import MakeSet
from lightly_contrawarp.data.sets import open_folder
from lightly_contrawarp.data.synthetic import IDENTITY_PATTERN, save_drawn_faces
from lightly_contrawarp.evaluation.compare import compare
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.evaluation.report import embedding_map, render_report
from lightly_contrawarp.evaluation.report.confusion import confusion_rows
from lightly_contrawarp.evaluation.report.strips import Strips
from lightly_contrawarp.evaluation.settings import EvaluationSettings
from lightly_contrawarp.evaluation.splits import Split, common_space, own_space

SETTINGS = EvaluationSettings(seeds=(0,))


class _Checker(HTMLParser):
    """Finds tags that are not closed, and addresses that lead elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "img", "br", "link"}:
            self.open.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in {"src", "href"}]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _check(page: str) -> None:
    checker = _Checker()
    checker.feed(page)
    assert checker.open == []
    assert not [a for a in checker.addresses if not a.startswith(("data:image/", "#"))]
    assert "default-src 'none'" in page


def test_render_report__holds_everything(tmp_path: Path) -> None:
    sets = []
    for name, seed in (("train", 1), ("test", 2)):
        save_drawn_faces(
            tmp_path / name, 70, num_identities=7, seed=seed, size=32, labelled=True
        )
        sets.append(open_folder(tmp_path / name, IDENTITY_PATTERN))
    Path(sets[1].names[0]).write_bytes(b"no image")
    encoder = TorchEncoder(nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten()), 16)
    encoders = {"<b>pixels": encoder, "again": encoder}
    page = render_report(compare(encoders, *sets, SETTINGS))
    _check(page)
    # For each encoder seven searches of a query and eight hits, two maps, and
    # the reliability of the probe.
    assert page.count("data:image/jpeg") == 2 * 7 * 9
    assert page.count("<svg") == 2 * 3
    assert page.count("by person") == 2
    assert "same person" in page
    assert page.count("<details open>") == 1
    assert "&lt;b&gt;pixels" in page
    assert "<b>pixels" not in page
    assert "This page contains images of the sets that were searched" in page
    assert "again (pooled, 48 numbers)." in " ".join(page.split())
    assert "1 unreadable images were left out" in page
    assert re.search(r"leave out \d+ pairs of near-duplicates and \d+ pairs that", page)
    for title in ("Retrieval, other people", "Identity leakage", "Actions of drawn"):
        assert title in page
    assert encoder.info.fingerprint[:12] in page


def test_render_report__of_very_few_images(
    make_set: MakeSet, encoder: TorchEncoder
) -> None:
    test = make_set("test", 1)
    page = render_report(compare({"a": encoder}, make_set("train", 3), test, SETTINGS))
    _check(page)
    assert "Not drawn" in page
    assert "No retrieval: retrieval needs two images of a class" in page
    assert page.count("data:image/jpeg") == 3 * 3


def test_confusion_rows__in_shares_of_the_row() -> None:
    rows = confusion_rows([[3, 1, 0], [0, 0, 0], [5, 0, 15]], ["a", "b", "c"])
    assert [row["name"] for row in rows] == ["a", "c"]
    assert [cell["text"] for cell in rows[0]["cells"]] == ["75.0", "25.0", "0.0"]
    assert [cell["right"] for cell in rows[1]["cells"]] == [False, False, True]
    # Wilson's interval of 15 out of 20, from its closed form.
    n, p, z = 20, 0.75, 1.959964
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    expected = f"75.0 ({100 * (centre - half):.1f} to {100 * (centre + half):.1f})"
    assert rows[1]["recall"] == expected


def test_strips__are_the_nearest_by_cosine(make_set: MakeSet) -> None:
    images = make_set("test", 6, people=2)
    _, split = common_space(images, images)
    values = np.random.default_rng(0).standard_normal((18, 4))
    strips = Strips(split)
    distances = cdist(values, values, "cosine")
    np.fill_diagonal(distances, np.inf)
    queries = strips.queries
    assert split.labels[queries].tolist() == [0, 1, 2]
    assert Strips(split).queries.tolist() == queries.tolist()
    for query, search in zip(queries, strips.search(values), strict=True):
        nearest = np.argsort(distances[query])[:8]
        assert search["label"] == split.classes[split.labels[query]]
        hits = search["hits"]
        assert [h["label"] for h in hits] == [
            split.classes[split.labels[n]] for n in nearest
        ]
        assert [h["score"] for h in hits] == [
            f"{1 - distances[query, n]:.3f}" for n in nearest
        ]
        assert split.people is not None
        same = split.people[nearest] == split.people[query]
        assert [h["same_person"] for h in hits] == same.tolist()


def test_strips__among_other_people(make_set: MakeSet) -> None:
    split = own_space(make_set("test", 6, people=2))
    values = np.random.default_rng(0).standard_normal((18, 4))
    found = Strips(split, other_people=True).search(values)
    assert [len(search["hits"]) for search in found] == [8, 8, 8]
    assert not any(hit["same_person"] for search in found for hit in search["hits"])
    alone = own_space(make_set("alone", 3, people=1))
    assert Strips(alone, other_people=True).search(values[:9])[0]["hits"] == []


def test_render_report__of_a_set_that_is_only_searched(
    make_set: MakeSet, encoder: TorchEncoder
) -> None:
    images = {"<i>ours": make_set("ours", 6, people=3), "one": make_set("one", 2)}
    page = render_report(compare({"a": encoder}, None, None, SETTINGS, searched=images))
    _check(page)
    assert "Only searched: &lt;i&gt;ours" in page
    assert page.count("Expression verification") == 1
    assert "Linear probe" not in page
    assert "<svg" not in page


def test_strips__skip_what_could_not_be_read(make_set: MakeSet) -> None:
    images = make_set("test", 6)
    Path(images.names[0]).write_bytes(b"no image")
    split: Split = common_space(images, images)[1].take(np.arange(1, 18))
    assert len(Strips(split).search(np.eye(17))) == 3


def test_lay_out__keeps_groups_together() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2], 30)
    values = 5 * np.eye(3, 60)[groups] + 0.3 * rng.standard_normal((90, 60))
    places = embedding_map.lay_out(values)
    assert places is not None
    assert places.shape == (90, 2)
    again = embedding_map.lay_out(values)
    assert again is not None
    np.testing.assert_array_equal(places, again)
    distances = cdist(places, places)
    np.fill_diagonal(distances, np.inf)
    assert (groups[distances.argmin(axis=1)] == groups).all()


@pytest.mark.parametrize("shape", [(4, 3), (60, 1)])
def test_lay_out__small(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).standard_normal(shape)
    places = embedding_map.lay_out(values)
    # Of one number, unit length leaves nothing but the sign.
    assert places is not None
    assert places.shape == (shape[0], 2)


def test_lay_out__nothing_to_lay_out() -> None:
    assert embedding_map.lay_out(np.eye(3)) is None
    assert embedding_map.lay_out(np.ones((30, 4))) is None


def test_sample_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_map, "MOST_POINTS", 5)
    assert embedding_map.sample_rows(4).tolist() == [0, 1, 2, 3]
    rows = embedding_map.sample_rows(100)
    assert len(set(rows.tolist())) == 5
    assert rows.tolist() == embedding_map.sample_rows(100).tolist()


def test_map_by_person__colours_the_most_frequent_ten() -> None:
    people = np.repeat(np.arange(12), np.arange(1, 13))
    places = np.random.default_rng(0).standard_normal((len(people), 2))
    names = [f"p{i}" for i in range(12)]
    (axes,) = embedding_map.map_by_person(places, people, names).axes
    shown = [text.get_text() for text in axes.get_legend().get_texts()]
    assert shown == ["others", *(f"p{i}" for i in range(11, 1, -1))]
    few = embedding_map.map_by_class(places[:6], np.arange(6) % 2, ["a", "b", "c"])
    assert [t.get_text() for t in few.axes[0].get_legend().get_texts()] == ["a", "b"]
