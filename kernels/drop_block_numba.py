"""DropBlock in Numba: few blocks are dropped, so each seed paints its block.

What is computed, and the shapes, stand in drop_block_numpy, the numbers in hashing.
"""

import math

import numpy as np
from numba import njit


@njit(cache=True)
def _expand(seeds, block_size, keep):
    planes, rows, columns = seeds.shape
    for plane in range(planes):
        for row in range(rows):
            for column in range(columns):
                if seeds[plane, row, column]:
                    for i in range(row, row + block_size):
                        for j in range(column, column + block_size):
                            keep[plane, i, j] = False


@njit(cache=True)
def _count(keep):
    kept = 0
    for plane in range(keep.shape[0]):
        row = keep[plane]
        for j in range(row.size):
            kept += row[j]
    return kept


@njit(cache=True)
def _scaled(x, keep, scale, y):
    """y = x * keep * scale; one plane of keep serves x.shape[0] // keep.shape[0] planes of x."""
    shared = x.shape[0] // max(keep.shape[0], 1)
    for plane in range(x.shape[0]):
        row, mask, target = x[plane], keep[plane // shared], y[plane]
        for j in range(row.size):
            target[j] = row[j] * mask[j] * scale


@njit(cache=True)
def _mixed(h):
    # Numba widens products of 32-bit integers to 64 bits: each is cut back.
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(16))) * np.uint32(0x7FEB352D))
    h = np.uint32(np.uint32(h ^ (h >> np.uint32(15))) * np.uint32(0x846CA68B))
    return np.uint32(h ^ (h >> np.uint32(16)))


@njit(cache=True)
def _hashed(index, seed):
    low, high = np.uint32(index & 0xFFFFFFFF), np.uint32(index >> 32)
    first, second = np.uint32(seed & np.uint64(0xFFFFFFFF)), np.uint32(seed >> np.uint64(32))
    h = _mixed(np.uint32(np.uint32(low * np.uint32(0x9E3779B9)) + first))
    return np.int64(_mixed(np.uint32(h + np.uint32(high ^ second))))


@njit(cache=True)
def _below(seed, other, threshold, below):
    """A hash serves four places; where its byte does not decide, the place has one of its own."""
    highest, rest = threshold >> 24, threshold & 0xFFFFFF
    for j in range(below.size):
        if j % 4 == 0:
            fours = _hashed(j // 4, seed)
        byte = fours >> 8 * (j % 4) & 0xFF
        below[j] = byte < highest
        if byte == highest and rest:
            below[j] = _hashed(j, other) & 0xFFFFFF < rest


def seeds(shape, seed, gamma):
    """Where blocks begin; see drop_block_numpy.seeds."""
    below = np.empty(math.prod(shape), np.bool_)
    with np.errstate(over="ignore"):  # as plain Python, where the wrap-around of scalars warns
        _below(np.uint64(seed), np.uint64(seed ^ 2**63), np.int64(round(gamma * 2**32)), below)
    return below.reshape(shape)


def mask(shape, seed, gamma, block_size):
    """keep, scale; see drop_block_numpy.mask."""
    n, c, h, w = shape
    keep = expand(seeds((n, c, h - block_size + 1, w - block_size + 1), seed, gamma), block_size)
    kept = _count(keep.reshape(n * c, h * w))
    return keep, keep.size / kept if kept else 0.0


def expand(seeds, block_size):
    """keep, False inside every block; see drop_block_numpy.expand."""
    n, c, rows, columns = seeds.shape
    h, w = rows + block_size - 1, columns + block_size - 1
    keep = np.ones((n * c, h, w), np.bool_)
    _expand(seeds.reshape(n * c, rows, columns), block_size, keep)
    return keep.reshape(n, c, h, w)


def forward(x, keep):
    """y, scale; see drop_block_numpy.forward."""
    kept = _count(keep.reshape(keep.shape[0] * keep.shape[1], -1)) if keep.size else 0
    scale = keep.size / kept if kept else 0.0
    return product(x, keep, scale), scale


def backward(dy, keep, scale):
    """dx = dy * keep * scale; see drop_block_numpy.backward."""
    return product(dy, keep, scale)


def product(x, keep, scale):
    """y = x * keep * scale; see drop_block_numpy.product."""
    n, c, h, w = x.shape
    mask = keep.reshape(n * keep.shape[1], h * w)
    y = np.empty_like(x)
    _scaled(x.reshape(n * c, h * w), mask, x.dtype.type(scale), y.reshape(n * c, h * w))
    return y
