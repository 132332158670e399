"""The networks, their module for Lightning, and their checkpoints."""
