"""A few faces to look at: of a folder, or drawn."""

from __future__ import annotations

from pathlib import Path

from torchvision.transforms.v2 import functional as TF

from contrawarp_edge.inputs.images import FACES_CSV
from lightly_contrawarp.data.faces_csv import facts_of, read_faces_csv
from lightly_contrawarp.data.folders import FaceFolder, scan_images
from lightly_contrawarp.data.synthetic import draw_parameters, render_faces
from lightly_contrawarp.transforms.preview import PreviewFace

_DRAWN_SIZE = 144  # pixels


def sample_faces(folder: Path | None, count: int, seed: int = 0) -> list[PreviewFace]:
    """Reads faces spread over a folder, or draws some.

    Args:
        folder: Images to choose from, and the landmarks in its ``faces.csv``, if it
            has one; or ``None`` for drawn faces.
        count: Number of faces; fewer if the folder has fewer.
        seed: Seed of the drawn faces.

    Returns:
        The faces.

    Raises:
        InputError: If the folder has no readable image.
    """
    if folder is None:
        drawn = draw_parameters(count, num_identities=count, seed=seed)
        images = render_faces(drawn, size=_DRAWN_SIZE)
        return [PreviewFace(TF.to_pil_image(image)) for image in images]
    paths = scan_images(folder).paths
    table = folder / FACES_CSV
    rows = read_faces_csv(table) if table.is_file() else {}
    # What cannot be decoded is replaced, as in training.
    folder_images = FaceFolder(paths, on_failure=lambda file: None)
    step = max(1, len(paths) // count)
    faces = []
    for index in range(0, len(paths), step)[:count]:
        image, position, *_ = folder_images[index]
        facts = facts_of([paths[position]], rows)
        faces.append(PreviewFace(image, facts.landmarks[0] if facts.known else None))
    return faces
