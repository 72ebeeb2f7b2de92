"""Which submissions are near copies of the reference, or of each other?

By copydetect (an optional extra), which compares runs of tokens by winnowing (Schleimer, Wilkerson
& Aiken 2003): names, strings, comments and spaces make no difference. What the starter holds is
left out. Short tasks have few right solutions, so likeness is a reason to look, and never a score.
"""

from __future__ import annotations

import ast
import importlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidl.errors import ArgumentError, expected
from minidl.grading.assignment import Assignment
from minidl.grading.cells import NOT_PYTHON
from minidl.grading.syntax import parse

# Measured on batch_norm: a renamed copy has 1.0 in common with the reference, a copy with one
# function of the student's own 0.83 and more, solutions written another way at most 0.34.
RUN = 20
THRESHOLD = 0.75
LEAST_TOKENS = 100
MOST_PAIRS = 100
NEAR = 0.15
BLOCK = 4096


@dataclass(frozen=True)
class Pair:
    """Two submissions that are alike, or one and the reference.

    Parameters
    ----------
    first, second : students, sorted; the second is "" for the reference.
    share : of the smaller one's own tokens that stand in the other too, from 0 to 1.
    """

    first: str
    second: str
    share: float


@dataclass(frozen=True)
class Likeness:
    """What was found in a class.

    Parameters
    ----------
    compared : how many submissions had enough code of their own to be compared.
    reference : students near the reference, the nearest first.
    same : groups of students whose code is the same but for names, strings and comments.
    pairs : students near each other beyond these groups, the nearest first.
    """

    compared: int
    reference: tuple[Pair, ...]
    same: tuple[tuple[str, ...], ...]
    pairs: tuple[Pair, ...]


def compare(
    sources: Mapping[str, str], assignment: Assignment, threshold: float = THRESHOLD
) -> Likeness:
    """Compare all submissions with the reference and with each other.

    Parameters
    ----------
    sources : each student's Python source.
    assignment : gives reference and starter.
    threshold : the share from which on two are alike.

    Raises
    ------
    ArgumentError
        when copydetect is not installed.
    """
    detect = _copydetect()
    starter = detect.print_of(assignment.starter()).hashes
    reference = detect.own(assignment.solution(), starter)
    made = {text: detect.own(text, starter) for text in set(sources.values())}
    prints = {student: made[text] for student, text in sorted(sources.items())}
    groups: dict[str, list[str]] = {}
    for student, own in prints.items():
        if own.token_coverage >= LEAST_TOKENS:
            groups.setdefault(own.filtered_code, []).append(student)
    firsts = {members[0]: prints[members[0]] for members in groups.values()}
    near = {student: detect.share(own, reference) for student, own in firsts.items()}
    copies = {student: share for student, share in near.items() if share >= threshold}
    flagged = [
        Pair(student, "", copies[members[0]])
        for members in groups.values()
        for student in members
        if members[0] in copies
    ]
    return Likeness(
        compared=sum(map(len, groups.values())),
        reference=_sorted(flagged),
        same=tuple(tuple(members) for members in groups.values() if len(members) > 1),
        pairs=_sorted(_pairs(detect, firsts, copies, threshold))[:MOST_PAIRS],
    )


def _pairs(
    detect: _Detector, prints: Mapping[str, Any], copies: Mapping[str, float], threshold: float
) -> Iterator[Pair]:
    """Yield the pairs that are most alike, but for two copies of the reference."""
    students = list(prints)
    sizes = np.array([len(made.hashes) for made in prints.values()], np.float32)
    shares = _in_common([made.hashes for made in prints.values()]) / np.minimum.outer(sizes, sizes)
    copied = np.array([student in copies for student in students], bool)
    shares[np.tril_indices(len(students))] = 0
    shares[np.outer(copied, copied)] = 0
    order = np.argsort(-shares, axis=None)[: 2 * MOST_PAIRS]
    for i, j in zip(*np.unravel_index(order, shares.shape), strict=True):
        if shares[i, j] > threshold - NEAR:
            share = detect.share(prints[students[i]], prints[students[j]])
            if share >= threshold:
                yield Pair(students[i], students[j], share)


def _in_common(sets: Sequence[Set[int]]) -> np.ndarray:
    """Return how many members any two sets share: matrix products, a block of members at a time.

    What only one has is passed over, or a long file would cost a column for each of its lines.
    """
    number = Counter(member for one in sets for member in one)
    column = {m: i for i, m in enumerate(m for m, count in number.items() if count > 1)}
    own = [np.array([column[m] for m in one if m in column], np.intp) for one in sets]
    common = np.zeros((len(sets), len(sets)), np.float32)
    for start in range(0, len(column), BLOCK):
        has = np.zeros((len(sets), BLOCK), np.float32)
        for row, places in zip(has, own, strict=True):
            row[places[(places >= start) & (places < start + BLOCK)] - start] = 1
        common += has @ has.T
    return common


def _sorted(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    return tuple(sorted(pairs, key=lambda pair: (-pair.share, pair.first, pair.second)))


class _Detector:
    """The few parts of copydetect that are used: its report and its file handling are not."""

    def __init__(self, package: Any, coverage: Callable[[Any, int, int], Any]) -> None:
        self._package, self._coverage = package, coverage

    def print_of(self, source: str) -> Any:
        """Return a source's runs of RUN tokens, hashed."""
        text = io.StringIO(_bare(source))
        return self._package.CodeFingerprint("x.py", RUN, 1, language="python", fp=text)

    def own(self, source: str, starter: Set[int]) -> Any:
        """Return what a source has beside the starter.

        copydetect's own way of leaving boilerplate out takes hashes for unique that are not.
        """
        made = self.print_of(source)
        made.hashes = made.hashes - starter
        made.hash_idx = {value: made.hash_idx[value] for value in made.hashes}
        made.token_coverage = self._coverage(made.hash_idx, RUN, len(made.filtered_code))
        return made

    def share(self, one: Any, two: Any) -> float:
        """Return the share of the smaller one's tokens that stand in the other."""
        _, shares, _ = self._package.compare_files(one, two)
        return min(1.0, float(max(shares)))


def _bare(source: str) -> str:
    """Return a source without docstrings and comments: most of a file's length, none of its code.

    What is no Python is nobody's copy: nothing is left of it. What Python reads and cannot write
    again (a number of five thousand digits, a thousand brackets) stays as it is: nobody hides so.
    """
    try:
        tree = parse(source)
    except NOT_PYTHON:
        return ""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [part for part in body if not _is_text(part)]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]  # any node with a body
    try:
        return ast.unparse(tree)
    except NOT_PYTHON:
        return source


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _copydetect() -> _Detector:
    try:
        package = importlib.import_module("copydetect")
        coverage = importlib.import_module("copydetect.utils").get_token_coverage
    except ImportError as error:
        hint = "pip install 'minidl[similarity]'"
        raise ArgumentError(expected("similarity", "copydetect", error, hint)) from None
    return _Detector(package, coverage)
