"""Writing files so that a crash never leaves half of one."""

from contrawarp_edge.files import atomic_write, atomic_write_text

__all__ = ["atomic_write", "atomic_write_text"]
