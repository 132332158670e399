"""Bringing images into a gallery, and keeping it in step with their folders."""
