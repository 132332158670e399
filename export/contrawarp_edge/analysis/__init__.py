"""A gallery as a whole: what is double in it, and how it falls into groups."""
