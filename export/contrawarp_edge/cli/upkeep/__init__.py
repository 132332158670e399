"""Commands that look after a gallery."""
