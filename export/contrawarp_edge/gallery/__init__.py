"""A gallery of embedded images: one SQLite file, and copies that make it quick."""
