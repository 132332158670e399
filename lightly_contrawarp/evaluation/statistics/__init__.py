"""Scores, intervals and neighbours, of plain arrays."""
