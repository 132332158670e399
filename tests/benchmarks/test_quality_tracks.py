"""Drawn videos, on which the benchmark learns from neighbouring frames."""

import pytest
import torch

from benchmarks.quality.tracks import draw_tracks
from lightly_contrawarp.data.synthetic import draw_parameters


def test_videos_go_smoothly_from_one_face_of_a_person_to_another() -> None:
    faces, tracks, times = draw_tracks(5, 9, seed=3, seconds=4.0)
    again = draw_tracks(5, 9, seed=3, seconds=4.0).faces
    assert len(faces) == 45
    assert torch.equal(faces.actions, again.actions)
    assert torch.equal(faces.noise_keys, again.noise_keys)
    assert times[:9].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]
    keys = draw_parameters(10, num_identities=5, seed=3)
    for track in range(5):
        one = faces[tracks == track]
        (person,) = one.identities.unique()
        ends = keys[keys.identities == person]
        torch.testing.assert_close(one.actions[[0, -1]], ends.actions)
        torch.testing.assert_close(one.nuisances[[0, -1]], ends.nuisances)
        assert torch.equal(one.labels[[0, -1]], ends.labels)
        assert torch.equal(one.traits, one.traits[:1].expand_as(one.traits))
        span = (one.actions[-1] - one.actions[0]).abs()
        assert (one.actions.diff(dim=0).abs() <= 0.25 * span + 1e-6).all()
        assert len(one.noise_keys.unique()) == 9
    assert len(faces.identities.unique()) == 5


@pytest.mark.parametrize("numbers", [(0, 5), (3, 1)])
def test_videos_need_people_and_frames(numbers: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="num_"):
        draw_tracks(*numbers, seed=0)
