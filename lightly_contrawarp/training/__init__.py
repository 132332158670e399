"""Pre-training on a folder of faces."""
