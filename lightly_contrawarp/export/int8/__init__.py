"""8-bit exported models: making them, and measuring what they lose and gain."""
