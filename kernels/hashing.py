"""Random numbers without a state: each is a hash of a seed and of its place.

Any part of a mask can be drawn without the rest, in any order and by any number of threads. What a
seed gives is the same in every telling of a kernel: here it is specified, kernels/simd/hash.h has
it in C, and Numba's kernels have copies, since its cache does not notice changes in other files.
"""

import numpy as np


def _mixed(h):
    """Return 32-bit integers whose every bit depends on every bit of h (arithmetic modulo 2^32)."""
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B)
    return h ^ (h >> np.uint32(16))


def hashed(index, seed):
    """Return 32 random bits for each index.

    The low half of the index, spread by the golden ratio and moved by the seed's low half, is mixed
    once, and with both high halves once more.

    Parameters
    ----------
    index : uint64, any shape
    seed : int in [0, 2^64)

    Returns
    -------
    uint32, of the shape of index

    References
    ----------
    The mixing function is lowbias32 of C. Wellons, Prospecting for Hash Functions, 2018.
    """
    low, high = index.astype(np.uint32), (index >> np.uint64(32)).astype(np.uint32)
    first, second = np.uint32(seed % 2**32), np.uint32(seed >> 32)
    return _mixed(_mixed(low * np.uint32(0x9E3779B9) + first) + (high ^ second))


def numbers(count, seed):
    """Return a random 32-bit number for each place: numbers[i] < t with probability t / 2^32.

    Four places share a hash, of which each has one byte as its highest. The lower three bytes are
    of a hash of its own, which a kernel needs only where the highest byte does not decide.

    Parameters
    ----------
    count : int
    seed : int in [0, 2^64)

    Returns
    -------
    (count,) int64, in [0, 2^32)
    """
    place = np.arange(count, dtype=np.uint64)
    fours = hashed(place >> np.uint64(2), seed).astype(np.int64)
    highest = fours >> (8 * (place % 4)).astype(np.int64) & 0xFF
    lower = hashed(place, seed ^ 2**63).astype(np.int64) & 0xFFFFFF
    return highest << 24 | lower
