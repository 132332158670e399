"""Nearest neighbours among arrays of embeddings."""
