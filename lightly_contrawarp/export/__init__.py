"""From a checkpoint to the files that are shipped."""
