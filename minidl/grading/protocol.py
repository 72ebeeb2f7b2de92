"""What grader and worker say to each other: frames of JSON and raw array bytes, never pickles.

A frame is a prefix (magic, ticket, length of the header, length of the payload), a header (one JSON
value of at most 64 KB) and a payload (the bytes of the arrays named in the header, one after
another, little-endian, in C order). The ticket is a number the grader draws for each question; the
answer repeats it, so that nothing prepared beforehand passes for an answer. Whoever reads a frame
believes nothing: dtypes come from a list, shapes and sizes are checked against the announced
payload before anything is allocated, and whatever does not fit is a ProtocolError.

The vocabulary: ndarray, bool, int, float, None, str, list, tuple, dict with string keys, and
`Rng(seed)`, which the worker receives as a NumPy generator.

Both sides run this file, the worker without minidl: it imports only the standard library and NumPy.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

MAGIC = b"mdl1"
PREFIX = struct.Struct("<4sQIQ")
MAX_HEADER = 64 * 1024
MAX_DEPTH = 16
MAX_RANK = 32
MAX_EMPTY = 2**20  # values of an array without any, were its empty axes of length one
INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
NAMES = ["bool", "float16", "float32", "float64", *INTEGERS]
DTYPES = {name: np.dtype(name).newbyteorder("<") for name in NAMES}

Fill = Callable[[memoryview], None]


class ProtocolError(Exception):
    """A value that cannot be sent, or bytes that are no valid frame."""


@dataclass(frozen=True)
class Rng:
    """A random generator as an argument: the worker receives np.random.default_rng(seed)."""

    seed: int


def encode(value: Any, where: str = "the value") -> tuple[Any, list[memoryview]]:
    """Return the JSON tree of `value` and the bytes of its arrays.

    Raises
    ------
    ProtocolError
        for anything outside the vocabulary; `where` names the value in the message.
    """
    buffers: list[memoryview] = []
    return _tree(value, where, buffers, 0), buffers


def _tree(value: Any, where: str, buffers: list[memoryview], depth: int) -> Any:
    kind = type(value)
    if depth > MAX_DEPTH:
        raise ProtocolError(f"{where} is nested deeper than {MAX_DEPTH} levels")
    if value is None or kind is bool or kind is str:
        return value
    if kind is int:
        if not -(2**63) <= value < 2**64:
            raise ProtocolError(f"{where} is an int of more than 64 bits")
        return value
    if kind is float:
        return {"float": value.hex()}
    if kind is Rng:
        return {"rng": value.seed}
    if kind is np.ndarray or issubclass(kind, np.generic):
        return _array_tree(np.asarray(value), where, buffers)
    if kind is list or kind is tuple:
        items = [_tree(v, f"{where}[{i}]", buffers, depth + 1) for i, v in enumerate(value)]
        return {kind.__name__: items}
    if kind is dict and all(type(key) is str for key in value):
        named = {k: _tree(v, f"{where}[{k!r}]", buffers, depth + 1) for k, v in value.items()}
        return {"dict": named}
    raise ProtocolError(
        f"{where} is of type {kind.__name__}, expected an ndarray, number, string, None, "
        "or a tuple, list or dict of these"
    )


@lru_cache
def _name(dtype: np.dtype) -> str:
    """Return a dtype's name; NumPy puts it together each time it is asked."""
    return dtype.name


def _array_tree(array: np.ndarray, where: str, buffers: list[memoryview]) -> Any:
    name = _name(array.dtype)
    if name not in DTYPES:
        raise ProtocolError(f"{where} has dtype {name}, expected bool, an integer or a float")
    if array.ndim > MAX_RANK:
        raise ProtocolError(f"{where} has {array.ndim} axes, expected at most {MAX_RANK}")
    flat = np.asarray(array, dtype=DTYPES[name], order="C").reshape(-1)
    buffers.append(flat.view(np.uint8).data)
    return {"array": [name, list(array.shape)]}


def pack(ticket: int, message: Any, where: str, max_bytes: int) -> list[memoryview]:
    """Return the pieces of one frame, to be written one after another.

    Raises
    ------
    ProtocolError
        for a message outside the vocabulary or beyond the limits; `where` names it.
    """
    tree, buffers = encode(message, where)
    header = json.dumps(tree, separators=(",", ":")).encode()
    if len(header) > MAX_HEADER:
        raise ProtocolError(f"{where} needs a header of {len(header)} bytes, at most {MAX_HEADER}")
    size = sum(piece.nbytes for piece in buffers)
    if size > max_bytes:
        raise ProtocolError(f"{where} takes {size} bytes, at most {max_bytes}")
    prefix = PREFIX.pack(MAGIC, ticket, len(header), size)
    return [memoryview(prefix + header), *(piece for piece in buffers if piece.nbytes)]


def receive(fill: Fill, max_bytes: int, generators: bool = False) -> tuple[int, Any]:
    """Read one frame; `fill(view)` must fill the whole view or raise.

    Parameters
    ----------
    fill : takes a writable memoryview of bytes.
    max_bytes : cap on the payload, checked before anything is allocated.
    generators : whether `Rng` is welcome (in the worker, as a NumPy generator) or refused.

    Returns
    -------
    ticket : int
    message : Any

    Raises
    ------
    ProtocolError
        for anything that is not a frame of the vocabulary within the limits.
    """
    prefix = bytearray(PREFIX.size)
    fill(memoryview(prefix))
    magic, ticket, header_size, size = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise ProtocolError("these bytes are no frame")
    if header_size > MAX_HEADER or size > max_bytes:
        raise ProtocolError(f"a frame of {header_size} + {size} bytes, at most {max_bytes}")
    header = bytearray(header_size)
    fill(memoryview(header))
    value, arrays = parse(bytes(header), size, generators)
    for array in arrays:
        fill(array.reshape(-1).view(np.uint8).data)
        if array.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
            raise ProtocolError("a bool array with bytes other than 0 and 1")
        if sys.byteorder == "big":
            array.byteswap(inplace=True)
    return ticket, value


def parse(header: bytes, size: int, generators: bool = False) -> tuple[Any, list[np.ndarray]]:
    """Return the value a header describes, and its arrays, allocated but not yet filled.

    The arrays take exactly `size` bytes, or the header is refused before it allocates more.
    """
    try:
        tree = json.loads(header.decode())
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the header is no valid JSON: {error}") from None
    parser = _Parser(size, generators)
    value = parser.value(tree, 0)
    if parser.left:
        raise ProtocolError(f"{parser.left} bytes of payload belong to no array")
    return value, parser.arrays


class _Parser:
    """Builds the value of one header with a budget of bytes."""

    def __init__(self, size: int, generators: bool) -> None:
        self.left = size
        self.generators = generators
        self.arrays: list[np.ndarray] = []

    def value(self, tree: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ProtocolError(f"nested deeper than {MAX_DEPTH} levels")
        if tree is None or type(tree) is bool:
            return tree
        if type(tree) is int and -(2**63) <= tree < 2**64:
            return tree
        if type(tree) is str:
            return self._text(tree)
        if type(tree) is not dict or len(tree) != 1:
            raise ProtocolError("a header value that is not in the vocabulary")
        tag, content = next(iter(tree.items()))
        if tag == "array":
            return self._array(content)
        if tag == "float":
            return self._float(content)
        if tag == "rng" and self.generators and type(content) is int and content >= 0:
            return np.random.default_rng(content)
        if tag in ("list", "tuple") and type(content) is list:
            items = [self.value(item, depth + 1) for item in content]
            return tuple(items) if tag == "tuple" else items
        if tag == "dict" and type(content) is dict:
            return {self._text(k): self.value(v, depth + 1) for k, v in content.items()}
        raise ProtocolError("a header value that is not in the vocabulary")

    def _text(self, text: str) -> str:
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ProtocolError("a string that is not valid Unicode")
        return text

    def _float(self, content: Any) -> float:
        try:
            return float.fromhex(content)
        except (TypeError, ValueError, OverflowError):
            raise ProtocolError("a float that is no hexadecimal float") from None

    def _array(self, content: Any) -> np.ndarray:
        if type(content) is not list or len(content) != 2 or type(content[1]) is not list:
            raise ProtocolError("an array without dtype and shape")
        name, shape = content
        if type(name) is not str or name not in DTYPES:
            raise ProtocolError("an array of a dtype that is not in the vocabulary")
        if len(shape) > MAX_RANK or not all(type(n) is int and 0 <= n < 2**31 for n in shape):
            raise ProtocolError("an array of an impossible shape")
        size = math.prod(shape) * DTYPES[name].itemsize
        if not size and math.prod(max(n, 1) for n in shape) > MAX_EMPTY:
            # A sum over its empty axis would fill the memory, a loop over the other never end.
            raise ProtocolError("an empty array of an impossible shape")
        if size > self.left:
            raise ProtocolError("an array larger than the payload")
        self.left -= size
        array = np.empty(tuple(shape), dtype=np.dtype(name))
        self.arrays.append(array)
        return array


def checksum(value: Any) -> int | None:
    """Return a number that changes when `value` is changed in place; None outside the vocabulary.

    Generators count as unchanged: drawing from them is what they are for.
    """
    if isinstance(value, (Rng, np.random.Generator)):
        return 0
    try:
        tree, buffers = encode(value)
    except ProtocolError:
        return None
    total = zlib.crc32(json.dumps(tree).encode())
    for piece in buffers:
        total = zlib.crc32(piece, total)
    return total
