from pathlib import Path

from helpers import MakeSet
from lightly_contrawarp.evaluation.encoders.encoders import TorchEncoder
from lightly_contrawarp.evaluation.encoders.feature_cache import FeatureCache
from lightly_contrawarp.evaluation.evaluate import Sets, evaluate
from lightly_contrawarp.evaluation.settings import EvaluationSettings
from lightly_contrawarp.evaluation.splits import common_space


def test_evaluate__progress_and_cache(
    make_set: MakeSet, encoder: TorchEncoder, tmp_path: Path
) -> None:
    sets = Sets(common_space(make_set("train", 10), make_set("test", 3)))
    done: list[int] = []
    stages: list[str] = []
    cache = FeatureCache(tmp_path / "cache")
    options = {"cache": cache, "on_progress": done.append, "on_stage": stages.append}
    first = evaluate(encoder, sets, EvaluationSettings(), **options)  # type: ignore[arg-type]
    assert done == [30, 39]
    assert stages == ["linear probe", "knn", "retrieval"]
    again = evaluate(encoder, sets, EvaluationSettings(), **options)  # type: ignore[arg-type]
    assert again.result == first.result
    assert len(list(cache.folder.iterdir())) == 2
