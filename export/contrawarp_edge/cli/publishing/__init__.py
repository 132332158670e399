"""Commands that show a gallery to others."""
