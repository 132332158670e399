"""SQLite files that others may move, damage or write at the same time."""
