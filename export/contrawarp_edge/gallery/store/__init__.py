"""The file of a gallery: its tables, statements, rows and their checksums."""
