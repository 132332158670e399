import base64
import io

import jinja2
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lightly_contrawarp.evaluation.report.pictures import data_uri, svg
from lightly_contrawarp.evaluation.report.templates import render


def test_data_uri__holds_the_picture() -> None:
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    head, _, data = data_uri(image).partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as read:
        assert np.array_equal(read, image)
    assert data_uri(image, "JPEG").startswith("data:image/jpeg;base64,")


def test_svg__is_the_same_each_time() -> None:
    def draw() -> Figure:
        figure = Figure()
        figure.subplots().plot([1, 2], label="ä < b")
        return figure

    assert svg(draw()) == svg(draw())
    assert svg(draw()).startswith("<svg")


def test_render__is_strict() -> None:
    with pytest.raises(jinja2.UndefinedError):
        render("demo/report.html.j2")
