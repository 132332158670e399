"""Drawn faces: cartoon faces with known expressions, for demos and tests.

Nothing is downloaded: the faces are rendered from signed distance functions, with
features where ``FACE_CROP`` puts them. The same seed always gives the same images.
"""

from lightly_contrawarp.data.synthetic.dataset import DrawnFaces
from lightly_contrawarp.data.synthetic.files import (
    IDENTITY_PATTERN,
    save_drawn_faces,
    with_actions,
)
from lightly_contrawarp.data.synthetic.landmarks import face_landmarks
from lightly_contrawarp.data.synthetic.parameters import (
    ACTION_RANGES,
    ACTIONS,
    EMOTIONS,
    PROTOTYPES,
    FaceParameters,
    draw_parameters,
)
from lightly_contrawarp.data.synthetic.render import render_faces

__all__ = [
    "ACTIONS",
    "ACTION_RANGES",
    "EMOTIONS",
    "IDENTITY_PATTERN",
    "PROTOTYPES",
    "DrawnFaces",
    "FaceParameters",
    "draw_parameters",
    "face_landmarks",
    "render_faces",
    "save_drawn_faces",
    "with_actions",
]
