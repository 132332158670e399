# This example requires the following dependencies to be installed:
# pip install contrawarp-edge

# Finds the faces of a folder whose expression is most like that of one image, without
# PyTorch: python search.py MODEL.onnx FOLDER QUERY.jpg
import sys
from pathlib import Path

from contrawarp_edge import Embedder
from contrawarp_edge.inputs.images import iter_images

model, folder, query = sys.argv[1:]

embedder = Embedder(model)
paths = []
blocks = []
for batch in embedder.embed_files(iter_images(Path(folder))):
    paths += batch.paths
    blocks += list(batch.embeddings)
    for path, reason in batch.failed:
        print(f"skipped {path}: {reason}")

wanted = embedder.embed(query)[0]
scores = [float(wanted @ embedding) for embedding in blocks]
ranking = sorted(range(len(paths)), key=lambda i: -scores[i])
for rank, i in enumerate(ranking[:10], start=1):
    print(f"{rank:2}  {scores[i]:.3f}  {paths[i]}")
