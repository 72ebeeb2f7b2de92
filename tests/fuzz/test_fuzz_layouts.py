"""Operations on arrays as users hold them: strided, reversed, broadcast, read-only, big-endian.

Layout is settled at one border, backend.call, so whole operations are tried: what comes out, and
the gradients, must be those of plain copies.
"""

import hypothesis
import numpy as np
import pytest
from fuzz.agreement import fuzz
from fuzz.drawing import normal
from hypothesis import strategies as st

from minidl import Tensor
from minidl import functional as F


def strided(array):
    """The same values in every second place of an array twice as large."""
    wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), np.nan, array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def reversed_view(array):
    return np.ascontiguousarray(array[..., ::-1])[..., ::-1]


def channels_last(array):
    axis = min(1, array.ndim - 1)
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, axis, -1)), -1, axis)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def big_endian(array):
    return array.astype(array.dtype.newbyteorder(">"))


def shifted(array):
    """The same values beginning one byte behind an address that suits them."""
    room = np.zeros(array.nbytes + 1, np.uint8)
    view = room[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


LAYOUTS = [
    np.asfortranarray,
    big_endian,
    channels_last,
    np.copy,
    read_only,
    reversed_view,
    shifted,
    strided,
]

VECTOR = (6,)
OPERATIONS = {
    "conv2d": (lambda x, w, b: F.conv2d(x, w, b, padding=1), [(2, 6, 7, 9), (5, 6, 3, 3), (5,)]),
    "depthwise": (lambda x, w: F.conv2d(x, w, groups=6), [(2, 6, 7, 9), (6, 1, 3, 3)]),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1), [(2, 6, 7, 9)]),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 2), [(2, 6, 7, 9)]),
    "batch_norm": (
        lambda x, g, b: F.batch_norm(x, None, None, g, b),
        [(2, 6, 7, 9), VECTOR, VECTOR],
    ),
    "group_norm": (lambda x, g, b: F.group_norm(x, 2, g, b), [(2, 6, 7, 9), VECTOR, VECTOR]),
    "local_response_norm": (lambda x: F.local_response_norm(x, 5), [(2, 6, 7, 9)]),
    "cross_entropy": (lambda x: F.cross_entropy(x, np.array([1, 0, 4])), [(3, 6)]),
    "linear": (F.linear, [(3, 6), (5, 6), (5,)]),
    "relu": (F.relu, [(2, 6, 7, 9)]),
    "softmax": (F.softmax, [(3, 6)]),
}


def values_and_gradients(operation, arrays):
    tensors = [Tensor(a, requires_grad=True) for a in arrays]
    y = operation(*tensors)
    y.backward(np.cos(np.arange(y.data.size, dtype=y.dtype)).reshape(y.shape))
    return [y.data, *(t.grad for t in tensors)]


@pytest.mark.parametrize("name", OPERATIONS)
@hypothesis.given(data=st.data())
@fuzz(2)
def test_layout_does_not_matter(name, data):
    operation, shapes = OPERATIONS[name]
    dtype = data.draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    plain = [normal(rng, dtype, *shape) for shape in shapes]
    laid_out = [data.draw(st.sampled_from(LAYOUTS))(a) for a in plain]
    kept = [a.copy() for a in laid_out]
    for got, want in zip(
        values_and_gradients(operation, laid_out),
        values_and_gradients(operation, plain),
        strict=True,
    ):
        assert got.shape == want.shape
        np.testing.assert_array_equal(got, want)
    for before, after in zip(kept, laid_out, strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", OPERATIONS)
def test_one_value_broadcast_over_an_image(name):
    operation, shapes = OPERATIONS[name]
    views = [np.broadcast_to(np.float32(0.5), shape) for shape in shapes]
    copies = [view.copy() for view in views]
    got, want = values_and_gradients(operation, views), values_and_gradients(operation, copies)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)
