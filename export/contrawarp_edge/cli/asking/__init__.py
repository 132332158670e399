"""Commands that ask a gallery something."""
