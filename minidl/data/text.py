"""Text as numbers: reading it, the alphabet, and batches of sequences that follow each other."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minidl.tensor import Tensor
from minidl.errors import ArgumentError, DTypeError, check_sizes, expected


def read_text(path: str | Path, encoding: str = "utf-8") -> str:
    """Read a text file.

    Raises
    ------
    ArgumentError
        naming the file, when it is missing, empty, or not text in that encoding
    """
    path = Path(path)
    if not path.is_file():
        raise ArgumentError(expected("read_text", f"a file {path}", "none", "check the path"))
    try:
        text = path.read_text(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        hint = "name its encoding: read_text(path, encoding='latin-1')"
        raise ArgumentError(expected("read_text", f"text in {path}", error, hint)) from None
    if not text:
        raise ArgumentError(expected("read_text", f"some text in {path}", "an empty file"))
    return text


def source_text(characters: int = 1_000_000) -> str:
    """Return the beginning of the source of Python's standard library: text that is always there.

    The modules at its top level in alphabetical order, those in ASCII; the same for every
    installation of one version of Python.

    Parameters
    ----------
    characters : how many to return at most, at least 1

    Raises
    ------
    ArgumentError
        where the library was installed without its source
    """
    check_sizes("source_text", characters=characters)
    folder = Path(sysconfig.get_paths()["stdlib"])
    texts: list[str] = []
    for path in sorted(folder.glob("*.py")):
        text = path.read_text("utf-8", errors="replace")
        if text.isascii():
            texts.append(text)
            characters -= len(text)
        if characters <= 0:
            break
    if not texts:
        hint = "read a text of your own with read_text"
        raise ArgumentError(expected("source_text", f"modules in {folder}", "none", hint))
    whole = "".join(texts)
    return whole[:characters] if characters < 0 else whole


class Alphabet:
    """The distinct characters of a text, each with a number: 0, 1, ... in their order.

    Parameters
    ----------
    text : str, at least one character

    Attributes
    ----------
    characters : str, sorted

    Examples
    --------
    >>> alphabet = Alphabet("banana")
    >>> alphabet.characters, alphabet.encode("nab").tolist(), alphabet.decode([1, 0, 2])
    ('abn', [2, 0, 1], 'ban')
    """

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise DTypeError(expected("Alphabet", "a string", type(text).__name__))
        if not text:
            raise ArgumentError(expected("Alphabet", "at least one character", "none"))
        self.characters = "".join(sorted(set(text)))
        self._points = np.array([ord(c) for c in self.characters])

    def __len__(self) -> int:
        """Return the number of characters."""
        return len(self.characters)

    def __repr__(self) -> str:
        return f"Alphabet({self.characters!r})"

    def encode(self, text: str) -> np.ndarray:
        """Return the number of each character, int64.

        Raises
        ------
        ArgumentError
            naming the characters that are not in the alphabet
        """
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        codes = np.searchsorted(self._points, points).astype(np.int64)
        known = self._points[np.minimum(codes, len(self) - 1)] == points
        if not known.all():
            others = "".join(sorted({chr(point) for point in points[~known]}))
            wanted = f"the {len(self)} characters of the alphabet"
            hint = "make the alphabet of all texts together"
            raise ArgumentError(expected("Alphabet.encode", wanted, repr(others), hint))
        return codes

    def decode(self, codes: np.ndarray | list[int]) -> str:
        """Return the text of numbers from 0 to len - 1."""
        codes = np.asarray(codes, np.int64)
        if codes.size and not 0 <= codes.min() <= codes.max() < len(self):
            wanted = f"numbers from 0 to {len(self) - 1}"
            got = f"{codes.min()} to {codes.max()}"
            raise ArgumentError(expected("Alphabet.decode", wanted, got))
        return "".join(self.characters[code] for code in codes.ravel())


def entropy(codes: np.ndarray, given: np.ndarray | None = None) -> float:
    """Return -sum q log2 p in bits, p the frequencies in `codes` and q those in `given`.

    What a character of `given` (of `codes` itself when None) costs on average, where no more is
    known than how frequent each is. Every number counts as occurring once more than it does, so
    that one that never occurs costs much but not infinitely much.
    """
    given = codes if given is None else given
    size = 1 + max(int(np.max(codes, initial=0)), int(np.max(given, initial=0)))
    counts = np.bincount(codes, minlength=size) + 1
    bits = -np.log2(counts / counts.sum())
    return float(np.mean(bits[given]))


class SequenceLoader:
    """Yields (inputs, targets), both (steps, batch_size): the targets are the numbers that follow.

    The text is cut into batch_size parts; every batch goes on where the one before ended, in each
    part, so that the state of a recurrent network may be carried over. What is left behind the last
    whole batch is not used.

    Parameters
    ----------
    codes : (length,) integers
    batch_size : parts read side by side
    steps : characters of one batch in each part

    Examples
    --------
    >>> for inputs, targets in SequenceLoader(np.arange(9), batch_size=2, steps=2):
    ...     print(inputs.data.tolist(), targets.data.tolist())
    [[0, 4], [1, 5]] [[1, 5], [2, 6]]
    [[2, 6], [3, 7]] [[3, 7], [4, 8]]
    """

    def __init__(self, codes: np.ndarray, batch_size: int = 32, steps: int = 64) -> None:
        check_sizes("SequenceLoader", batch_size=batch_size, steps=steps)
        codes = np.asarray(codes)
        if codes.ndim != 1 or codes.dtype.kind not in "iu":
            got = f"shape {codes.shape} of {codes.dtype}"
            hint = "encode the text with an Alphabet"
            raise DTypeError(expected("SequenceLoader", "(length,) integers", got, hint))
        if len(codes) < batch_size * steps + 1:
            wanted = f"at least {batch_size * steps + 1} characters for one batch"
            hint = "use fewer steps or a smaller batch"
            raise ArgumentError(expected("SequenceLoader", wanted, len(codes), hint))
        self.codes, self.batch_size, self.steps = codes, batch_size, steps

    def __len__(self) -> int:
        """Return the number of batches in one pass."""
        return (len(self.codes) - 1) // self.batch_size // self.steps

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of one pass."""
        length = (len(self.codes) - 1) // self.batch_size
        used = length * self.batch_size
        inputs = self.codes[:used].reshape(self.batch_size, length).T
        targets = self.codes[1 : used + 1].reshape(self.batch_size, length).T
        for batch in range(len(self)):
            rows = slice(batch * self.steps, (batch + 1) * self.steps)
            yield Tensor(inputs[rows].copy()), Tensor(targets[rows].copy())
