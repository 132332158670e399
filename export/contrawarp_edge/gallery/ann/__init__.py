"""Approximate search in large galleries."""
