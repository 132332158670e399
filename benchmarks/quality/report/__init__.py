"""RESULTS.md and its pictures, from the runs that are done."""
