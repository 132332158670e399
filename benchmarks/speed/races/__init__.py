"""The parts of the benchmark: each races contenders at one task."""
