"""What do the calls that go wrong have in common, and those that go right not?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from minidl.grading.finding import listed
from minidl.grading.setting import Setting

MOST_VALUES = 3
MOST_CONTRASTS = 3


def contrast(right: Sequence[Setting], wrong: Sequence[Setting]) -> str:
    """Return what tells wrong calls from right ones.

    Parameters
    ----------
    right, wrong : the calls of one function in which one and the same result is right, or wrong.

    Returns
    -------
    str
        "All 4 calls with stride 1 are right, the one with stride 2 is not."; "" where there are
        fewer than two right calls, or where too much or nothing tells them apart.
    """
    if len(right) < 2 or not wrong:
        return ""
    good, bad = [dict(_features(at)) for at in right], [dict(_features(at)) for at in wrong]
    keys = [key for key in bad[0] if all(key in features for features in (*good, *bad))]
    found: list[tuple[list[str], list[str]]] = []
    for key in keys:
        one, other = (list(dict.fromkeys(f[key] for f in calls)) for calls in (good, bad))
        if not set(one) & set(other) and max(len(one), len(other)) <= MOST_VALUES:
            found.append((one, other))
    if not 0 < len(found) <= MOST_CONTRASTS:
        return ""
    fine, odd = (listed(words, "or") for words in found[0])
    last = (
        f"the one with {odd} is not"
        if len(wrong) == 1
        else f"none of the {len(wrong)} with {odd} is"
    )
    all_right = "Both" if len(right) == 2 else f"All {len(right)}"
    return f"{all_right} calls with {fine} are right, {last}."


def _features(at: Setting) -> Iterator[tuple[str, str]]:
    """Yield what may matter about a call, as a kind and a value in words; likely ones first."""
    for key, value in at.arguments.items():
        if value is None or type(value) in (bool, int, str):
            yield key, f"{key} {value}"
        elif type(value) is float:
            yield f"{key} in words", f"{key} {value:g}" if value in (0, 1) else f"another {key}"
        elif type(value) is tuple and value and {*map(type, value)} == {int}:
            for usual in (0, 1):
                alike = all(number == usual for number in value)
                yield f"{key} {usual}", f"{key} {usual}" if alike else f"{key} other than {usual}"
            twice = "the same in both numbers" if len(set(value)) == 1 else "unlike"
            yield f"{key} alike", f"{key} {twice}"
    arrays = {k: v for k, v in at.arguments.items() if isinstance(v, np.ndarray)}
    for key, value in arrays.items():
        if value.ndim >= 2:
            square = value.shape[-1] == value.shape[-2]
            yield f"square {key}", f"{key} {'' if square else 'not '}square in its last two axes"
    dtypes = {value.dtype.name for value in arrays.values() if value.dtype.kind == "f"}
    if dtypes:
        yield "dtype", listed(sorted(dtypes))
    for axis, length in at.lengths.items():
        yield f"no {axis}", f"{axis} = 0" if not length else f"{axis} above 0"
        yield f"one {axis}", f"{axis} = 1" if length == 1 else f"{axis} other than 1"
    for axis, length in at.lengths.items():
        yield f"even {axis}", f"an {'odd' if length % 2 else 'even'} {axis}"
    for key, value in arrays.items():
        if value.dtype.kind == "f":
            yield f"NaN in {key}", _with(bool(np.isnan(value).any()), f"NaN in {key}")
            yield f"negative {key}", _with(bool((value < 0).any()), f"negative values in {key}")
            yield f"zero in {key}", _with(bool((value == 0).any()), f"zeros in {key}")


def _with(there: bool, what: str) -> str:
    return what if there else f"no {what}"
