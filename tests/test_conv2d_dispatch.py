"""The compiled convolution against its specification, whichever of its algorithms serves.

Drawn shapes reach implicit GEMM, Winograd's algorithm, bundles of images, the depthwise kernels
and the way for weights that are not finite; fixed ones stand on both sides of every tile, block and
thread.
"""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from kernel_cases import convolution
from minidl.kernels import conv2d_cython, conv2d_numpy, parallel

DTYPES = (np.float32, np.float64)
FUZZ = hypothesis.settings(deadline=None, derandomize=True, max_examples=150, database=None)


def spoiled(rng, arguments, which):
    """The arguments with NaN, infinity or both in the arrays chosen by the bits of which."""
    result = list(arguments)
    for number, argument in enumerate(arguments):
        if isinstance(argument, np.ndarray) and argument.size and which >> number & 1:
            result[number] = argument.copy()
            result[number].flat[rng.integers(argument.size)] = (np.nan, np.inf)[which % 2]
    return result


def assert_agrees(case, dtype, which=0, seed=3):
    """All three directions agree with the specification, NaN and infinity in their places."""
    rng = np.random.default_rng(seed)
    for function, arguments in convolution(rng, dtype, *case):
        arguments = spoiled(rng, arguments, which)
        with np.errstate(all="ignore"):
            wanted = getattr(conv2d_numpy, function)(*arguments)
        np.full(wanted.shape, 1e9, dtype)  # freed at once, and reused: what is not written shows
        result = getattr(conv2d_cython, function)(*arguments)
        assert result.dtype == wanted.dtype
        assert result.flags.c_contiguous
        largest = np.max(np.abs(wanted), where=np.isfinite(wanted), initial=0)
        tolerance = (2e-5 if dtype == np.float32 else 1e-12) * largest
        np.testing.assert_allclose(
            result, wanted, rtol=0, atol=tolerance, err_msg=f"{function} {case} {which}"
        )


@st.composite
def convolutions(draw, most):
    """Arguments of kernel_cases.convolution; paddings also larger than the kernel."""

    def pair(least, greatest):
        return draw(st.tuples(*[st.integers(least, greatest)] * 2))

    kernel, stride = pair(1, 5), pair(1, 4)
    padding = pair(0, draw(st.sampled_from([0, 2, 7])))
    dilation = pair(1, draw(st.sampled_from([1, 1, 3])))
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    c, o = (groups * draw(st.integers(1, most)) for _ in range(2))
    if draw(st.integers(0, 4)) == 0:
        c, o = groups, groups * draw(st.sampled_from([1, 1, 2]))
    least = [max(dilation[a] * (kernel[a] - 1) + 1 - 2 * padding[a], 1) for a in (0, 1)]
    size = tuple(low + draw(st.integers(0, 20)) for low in least)
    return draw(st.integers(0, 4)), c, size, o, kernel, stride, padding, dilation, groups


@FUZZ
@hypothesis.given(convolutions(5), st.sampled_from(DTYPES), st.sampled_from([0, 0, 1, 2, 3, 7]))
def test_any_convolution_agrees(case, dtype, which):
    assert_agrees(case, dtype, which)


@st.composite
def few_channels(draw):
    """Convolutions whose gradient of the input is one product for all channels and taps."""
    n, c, size, _, *geometry = draw(convolutions(4))
    groups = geometry[-1]
    each = max(c // groups, 1)
    return n, c, size, groups * (16 * each + draw(st.integers(0, 3))), *geometry


@FUZZ
@hypothesis.given(few_channels(), st.sampled_from(DTYPES), st.sampled_from([0, 0, 1, 2, 3, 7]))
def test_any_convolution_of_few_channels_agrees(case, dtype, which):
    assert_agrees(case, dtype, which)


@st.composite
def few_sums(draw):
    """Convolutions whose gradient of the weight is dot products: few taps or outputs, long rows."""
    kernel = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    stride, dilation = (1, draw(st.sampled_from([1, 1, 2, 4]))), draw(st.sampled_from([1, 1, 3]))
    padding = draw(st.tuples(*[st.integers(0, 3)] * 2))
    groups, spans = draw(st.sampled_from([1, 1, 2])), [dilation * (k - 1) + 1 for k in kernel]
    height = max(spans[0] - 2 * padding[0], 1) + draw(st.integers(0, 30))
    width = spans[1] - 2 * padding[1] + stride[1] * draw(st.integers(7, 70))
    c, o = groups * draw(st.integers(1, 4)), groups * draw(st.integers(1, 13))
    size = height, max(width, 1)
    return draw(st.integers(1, 4)), c, size, o, kernel, stride, padding, (dilation,) * 2, groups


@FUZZ
@hypothesis.given(few_sums(), st.sampled_from(DTYPES), st.sampled_from([0, 0, 1, 2, 3, 7]))
def test_any_convolution_of_few_sums_agrees(case, dtype, which):
    assert_agrees(case, dtype, which)


@st.composite
def bundles(draw):
    """Convolutions of so many images that lanes run over them; the last bundle not full."""
    _, c, size, o, kernel, *geometry = draw(convolutions(9))
    (low, high), groups = draw(st.sampled_from([(6, 8), (12, 18), (24, 35)])), geometry[-1]
    c, o = (max(k, 3 * groups) for k in (c, o))
    return draw(st.integers(low, high)), c, size, o, kernel, *geometry


@contextlib.contextmanager
def one_thread():
    """Of fewer bundles than threads some would wait, and another algorithm serves."""
    before = parallel.get_count()
    parallel.set_count(1)
    try:
        yield
    finally:
        parallel.set_count(before)


@FUZZ
@hypothesis.given(bundles(), st.sampled_from(DTYPES), st.sampled_from([0, 0, 1, 2, 3, 7]))
@one_thread()
def test_any_convolution_of_bundles_agrees(case, dtype, which):
    assert_agrees(case, dtype, which)


@one_thread()
def test_bundles_on_both_sides_of_every_tile_and_block():
    for dtype, n in ((np.float32, 16), (np.float64, 8), (np.float32, 15)):
        for k in range(3, 30):  # outputs and channels around the heights of tiles
            assert_agrees((n, 3, (4, 5), k, (2, 3), (1, 1), (1, 1), (1, 1), 1), dtype)
            assert_agrees((n, k, (4, 5), 3, (3, 2), (1, 1), (0, 1), (1, 1), 1), dtype)
        for w in range(1, 16):  # rows around the widths of tiles
            assert_agrees((n, 4, (3, w), 5, (3, 3), (1, 1), (2, 2), (1, 1), 1), dtype)
            assert_agrees((n, 4, (3, w), 5, (2, 4), (2, 3), (1, 3), (1, 1), 1), dtype)
        # Several inputs and outputs at a time, and sums of several sums.
        assert_agrees((n, 60, (12, 13), 70, (5, 5), (1, 1), (2, 2), (1, 1), 1), dtype)
        assert_agrees((n, 130, (13, 12), 64, (3, 3), (2, 2), (1, 1), (1, 1), 2), dtype)
        # Taps that no output has, windows larger than the image, as many taps as a product takes.
        assert_agrees((128, 3, (2, 3), 4, (3, 3), (4, 5), (2, 2), (1, 1), 1), dtype)
        assert_agrees((128, 3, (2, 3), 4, (7, 6), (1, 2), (5, 5), (2, 1), 1), dtype)
        assert_agrees((128, 3, (20, 19), 4, (19, 20), (1, 1), (1, 1), (1, 1), 1), dtype)


def test_gradients_of_the_weight_whose_windows_fill_no_block():
    """Wide dilation, long sequences, many channels: copies of windows would not fit."""
    for case in [
        (1, 1, (190, 200), 4, (7, 7), (1, 1), (60, 60), (20, 20), 1),
        (1, 2, (1, 9000), 2, (1, 15), (1, 1), (0, 7), (1, 1), 1),
        (1, 2, (1, 3000), 1, (1, 301), (1, 1), (0, 150), (1, 1), 1),
        (2, 150, (9, 40), 1, (5, 5), (1, 1), (2, 2), (1, 1), 1),
        (1, 12, (40, 130), 3, (5, 5), (1, 1), (2, 2), (1, 1), 1),
    ]:
        assert_agrees(case, np.float32)


@st.composite
def winograds(draw):
    """What Winograd's algorithm may be given: 3x3, stride 1, enough channels."""
    c, o = (draw(st.integers(14, 40)) for _ in range(2))
    padding = draw(st.tuples(*[st.integers(0, 3)] * 2))
    size = tuple(draw(st.integers(max(3 - 2 * p, 1), 13)) for p in padding)
    return draw(st.integers(1, 3)), c, size, o, (3, 3), (1, 1), padding, (1, 1), 1


@pytest.mark.parametrize("precise", [False, True])
@FUZZ
@hypothesis.given(winograds(), st.sampled_from([0, 0, 1, 2, 3]))
def test_any_convolution_of_three_by_three_agrees(precise, case, which):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv2d_cython, "precise", precise)
        assert_agrees(case, np.float32, which)


@st.composite
def strips(draw):
    """What it is given of few channels: strips of rows, and vectors that may overlap."""
    c, o = draw(st.integers(1, 40)), draw(st.integers(3, 40))
    padding = draw(st.tuples(*[st.integers(0, 2)] * 2))
    least = (6, 10)
    size = tuple(
        low - 2 * p + draw(st.integers(0, 26)) for low, p in zip(least, padding, strict=True)
    )
    size = tuple(max(length, 3) for length in size)
    return draw(st.integers(1, 3)), c, size, o, (3, 3), (1, 1), padding, (1, 1), 1


@FUZZ
@hypothesis.given(strips(), st.sampled_from([0, 0, 1, 2, 3, 4, 5]))
def test_any_convolution_in_strips_agrees(case, which):
    assert_agrees(case, np.float32, which)


@st.composite
def three_strides_wide(draw):
    """What Winograd's algorithm is given with pixels a stride apart as channels of their own."""
    stride = draw(st.tuples(*[st.integers(3, 5)] * 2))
    kernel = tuple(3 * s - draw(st.integers(0, 1)) for s in stride)
    padding = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    c = 48 // (stride[0] * stride[1]) + draw(st.integers(0, 2))
    least = [max(k + 2 * s - 2 * p, 1) for k, s, p in zip(kernel, stride, padding, strict=True)]
    size = tuple(low + draw(st.integers(0, 2 * s)) for low, s in zip(least, stride, strict=True))
    o = draw(st.sampled_from([47, 48, 50]))
    return draw(st.integers(1, 2)), c, size, o, kernel, stride, padding, (1, 1), 1


@FUZZ
@hypothesis.given(three_strides_wide(), st.sampled_from([0, 0, 1, 2, 3, 4, 5]))
def test_any_convolution_of_windows_three_strides_wide_agrees(case, which):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv2d_cython, "ENOUGH", 1)
        assert_agrees(case, np.float32, which)


def test_windows_three_strides_wide_take_fewer_products():
    """Small integers: exact where the definition sums, not where fractions are multiplied."""
    rng = np.random.default_rng(5)
    x = rng.integers(-8, 9, (1, 3, 139, 139)).astype(np.float32)
    weight = rng.integers(-8, 9, (48, 3, 11, 11)).astype(np.float32)
    for stride, size, exact in [(4, 139, False), (4, 131, True), (5, 139, True)]:
        options = (stride, stride), (0, 0), (1, 1), 1
        image = np.ascontiguousarray(x[:, :, :size, :size])
        wanted = conv2d_numpy.forward(image, weight, None, *options)
        dy = rng.integers(-8, 9, wanted.shape).astype(np.float32)
        pairs = [(conv2d_cython.forward(image, weight, None, *options), wanted)]
        for function, arguments in [
            ("backward_input", (dy, weight, image.shape, *options)),
            ("backward_weight", (dy, image, weight.shape, *options)),
        ]:
            pairs.append([getattr(m, function)(*arguments) for m in (conv2d_cython, conv2d_numpy)])
        assert [np.array_equal(*pair) for pair in pairs] == [exact] * 3
        for got, wanted in pairs:
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize(("o", "exact"), [(47, True), (48, conv2d_cython.WIDE)])
def test_first_layers_take_strips_of_four_rows_only_before_many_channels(o, exact):
    """Small integers: exact by two rows, whose factors are 1 and 1/2, but not by four."""
    rng = np.random.default_rng(5)
    x = rng.integers(-8, 9, (2, 3, 9, 33)).astype(np.float32)
    weight = rng.integers(-8, 9, (o, 3, 3, 3)).astype(np.float32)
    options = (1, 1), (1, 1), (1, 1), 1
    got = conv2d_cython.forward(x, weight, None, *options)
    wanted = conv2d_numpy.forward(x, weight, None, *options)
    assert np.array_equal(got, wanted) == bool(exact)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-6 * np.abs(wanted).max())


@pytest.mark.parametrize("c", [64, 20, 3])
def test_precise_sums_as_the_definition_does(c, monkeypatch):
    """They are exact of small integers, whatever the order, and differ from fast ones of others."""
    rng = np.random.default_rng(5)
    options = (1, 1), (1, 1), (1, 1), 1
    x = rng.integers(-8, 9, (2, c, 9, 14)).astype(np.float32)
    weight = rng.integers(-8, 9, (64, c, 3, 3)).astype(np.float32)
    fast = conv2d_cython.forward(x / 3, weight, None, *options)
    monkeypatch.setattr(conv2d_cython, "precise", True)
    assert not np.array_equal(fast, conv2d_cython.forward(x / 3, weight, None, *options))
    wanted = conv2d_numpy.forward(x, weight, None, *options)
    np.testing.assert_array_equal(conv2d_cython.forward(x, weight, None, *options), wanted)


@pytest.mark.parametrize("dtype", DTYPES)
def test_both_sides_of_every_tile_and_block(dtype):
    for o in (*range(1, 19), 24, 25, 36, 37, 127, 130, 133):
        assert_agrees((1, 2, (4, 7), o, (2, 2), (1, 1), (0, 0), (1, 1), 1), dtype)
    for c in (
        28,
        29,
        42,
        43,
        85,
        86,
    ):  # 9 * c around multiples of the greatest depth of one product
        assert_agrees((1, c, (5, 6), 3, (3, 3), (1, 1), (1, 1), (1, 1), 1), dtype)
        assert_agrees((1, 3, (5, 6), c, (3, 3), (2, 2), (1, 1), (1, 1), 1), dtype)
    for width in (1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 23, 24, 25, 47, 48, 49):
        assert_agrees((3, 3, (3, width), 5, (3, 1), (1, 1), (1, 0), (1, 1), 1), dtype)
        assert_agrees((2, 3, (5, width), 2, (1, 1), (1, 1), (0, 0), (1, 1), 1), dtype)
        # All four phases of columns, in order and in another.
        assert_agrees((2, 3, (6, width), 5, (5, 5), (4, 4), (3, 2), (1, 1), 1), dtype)
        assert_agrees((2, 2, (6, width), 3, (2, 5), (1, 4), (0, 6), (1, 3), 1), dtype)
        # Sums of several sums, and of several products, where rows end within a vector.
        assert_agrees((2, 12, (4, width), 2, (3, 3), (1, 1), (1, 1), (1, 1), 1), dtype)
        assert_agrees((2, 45, (3, width), 7, (3, 3), (1, 1), (1, 1), (1, 1), 1), dtype)
        for height in (2, 3, 4, 5, 8, 9):
            assert_agrees((2, 3, (height, width), 3, (3, 3), (1, 1), (1, 1), (1, 1), 3), dtype)
        assert_agrees((2, 3, (4, width), 3, (3, 3), (1, 2), (1, 1), (1, 1), 3), dtype)
        assert_agrees((2, 3, (4, width), 3, (3, 3), (2, 2), (1, 1), (1, 1), 3), dtype)
    for size in ((1, 1), (1, 23), (4, 6), (5, 5), (1, 47), (6, 8), (7, 7)):
        assert_agrees((2, 2, size, 33, (3, 3), (1, 1), (1, 1), (1, 1), 1), dtype)
        assert_agrees((2, 1, size, 16, (5, 2), (3, 3), (2, 1), (1, 1), 1), dtype)
    # Several products for an image, and several blocks of its pixel rows.
    assert_agrees((2, 4, (30, 31), 64, (5, 5), (1, 1), (2, 2), (1, 1), 1), dtype)
    assert_agrees((1, 1, (9, 120000), 16, (3, 2), (1, 1), (1, 1), (1, 1), 1), dtype)
    # Windows larger than a block: lines of one image, and several blocks of images.
    assert_agrees((2, 40, (90, 60), 3, (3, 3), (1, 1), (1, 1), (1, 1), 1), dtype)
    assert_agrees((2, 3, (90, 61), 40, (5, 3), (2, 3), (1, 1), (1, 1), 1), dtype)
    assert_agrees((90, 30, (9, 9), 9, (3, 3), (2, 2), (1, 1), (1, 1), 1), dtype)
    assert_agrees((1, 700, (9, 40), 3, (9, 1), (1, 1), (4, 0), (1, 1), 1), dtype)


@pytest.mark.parametrize(
    "case",
    [
        (3, 20, (9, 8), 20, (3, 3), (1, 1), (1, 1), (1, 1), 1),
        (3, 3, (9, 11), 20, (3, 3), (1, 1), (1, 1), (1, 1), 1),
        (3, 4, (84, 85), 48, (11, 12), (4, 4), (2, 3), (1, 1), 1),
        (3, 3, (9, 8), 4, (5, 3), (2, 2), (1, 1), (1, 1), 1),
        (2, 3, (9, 8), 48, (5, 3), (2, 2), (1, 1), (1, 1), 1),
        (3, 6, (9, 8), 6, (3, 3), (1, 1), (1, 1), (1, 1), 6),
        (60, 6, (9, 8), 7, (5, 5), (1, 1), (1, 1), (1, 1), 1),
        (1, 5, (9, 8), 6, (1, 1), (1, 1), (0, 0), (1, 1), 1),
    ],
)
def test_threads_agree_and_repeat_themselves(case, monkeypatch):
    monkeypatch.setattr(conv2d_cython, "LEAST", 1)
    before = parallel.get_count()
    parallel.set_count(3)
    try:
        assert_agrees(case, np.float32)
        assert_agrees(case, np.float32, which=3)
        for function, arguments in convolution(np.random.default_rng(1), np.float32, *case):
            kernel = getattr(conv2d_cython, function)
            np.testing.assert_array_equal(kernel(*arguments), kernel(*arguments))
    finally:
        parallel.set_count(before)


def test_what_fits_no_memory_is_a_memory_error():
    x, weight = np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2))
    for far in (1 << 38, 1 << 45, 1 << 70):
        options = (1, 1), (far, 0), (2 * far, 1), 1
        with pytest.raises(MemoryError):
            conv2d_cython.forward(x, weight, None, *options)
        with pytest.raises(MemoryError):
            conv2d_cython.backward_weight(np.ones((1, 1, 2, 1)), x, weight.shape, *options)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("wide", [4, 7, 8, 9, 15, 16, 17, 31, 32, 33])
@pytest.mark.parametrize("kernel", [1, 3])
def test_rows_two_apart_are_woven_at_every_width(kernel, wide, dtype):
    padding = (kernel // 2, kernel // 2)
    for high in (5, 6):
        case = 2, 4, (high, wide), 6, (kernel, kernel), (2, 2), padding, (1, 1), 1
        assert_agrees(case, dtype)


def test_strides_whose_product_no_number_holds_leave_the_shape_alone():
    dy, weight, shape = np.ones((1, 2, 1, 1)), np.ones((2, 1, 1, 1)), (1, 2, 5, 5)
    dx = conv2d_cython.backward_input(dy, weight, shape, (1 << 39, 1 << 39), (0, 0), (2, 3), 2)
    assert dx.shape == shape
    assert dx.sum() == dx[:, :, 0, 0].sum() == 2


def test_arrays_that_do_not_fit_are_refused():
    x, weight, options = np.ones((1, 2, 5, 5)), np.ones((3, 2, 2, 2)), ((1, 1), (0, 0), (1, 1), 1)
    dy = np.ones((1, 3, 4, 4))
    refused = [
        lambda: conv2d_cython.forward(x.transpose(0, 1, 3, 2), weight, None, *options),
        lambda: conv2d_cython.forward(x, weight.astype(np.float32), None, *options),
        lambda: conv2d_cython.forward(x, weight, np.ones(2), *options),
        lambda: conv2d_cython.forward(x, np.ones((3, 1, 2, 2)), None, *options),
        lambda: conv2d_cython.backward_input(dy[:, :, :3], weight, x.shape, *options),
        lambda: conv2d_cython.backward_weight(dy[:, :, :3].copy(), x, weight.shape, *options),
        lambda: conv2d_cython.backward_bias(dy[0]),
        lambda: conv2d_cython.backward_bias(dy[:, :, :3]),
        lambda: conv2d_cython.backward_bias(dy.astype(int)),
    ]
    for call in refused:
        with pytest.raises(ValueError, match="conv2d: "):
            call()


@pytest.mark.parametrize("level", ["baseline", "avx2"])
def test_every_instruction_set_agrees(level):
    program = (
        "import numpy, kernel_cases, test_conv2d_dispatch as test\n"
        "for case in kernel_cases.CONVOLUTIONS + kernel_cases.LARGE_CONVOLUTIONS[:2]:\n"
        "    for dtype in test.DTYPES:\n"
        "        test.assert_agrees(case, dtype)\n"
        "winograd = (2, 20, (9, 8), 33, (3, 3), (1, 1), (1, 1), (1, 1), 1)\n"
        "test.assert_agrees(winograd, numpy.float32)\n"
        "small_tiles = (2, 20, (9, 16), 33, (3, 3), (1, 1), (1, 1), (1, 1), 1)\n"
        "test.assert_agrees(small_tiles, numpy.float32)\n"
        "strips = (2, 3, (9, 13), 33, (3, 3), (1, 1), (1, 1), (1, 1), 1)\n"
        "test.assert_agrees(strips, numpy.float32)\n"
        "strided = (1, 3, (139, 141), 48, (11, 12), (4, 4), (1, 0), (1, 1), 1)\n"
        "test.assert_agrees(strided, numpy.float32)\n"
        "test.test_bundles_on_both_sides_of_every_tile_and_block()\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parent,
        env={**os.environ, "MINIDL_SIMD": level},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("count", [1, 2])
def test_denormals_are_lost_in_the_convolution_alone(count):
    """They count as 0 there; whoever called it computes with them afterwards as before."""
    tiny, before = np.full((16, 32, 16, 16), 1e-40, np.float32), parallel.get_count()
    weight, options = np.ones((32, 32, 3, 3), np.float32), ((1, 1), (1, 1), (1, 1), 1)
    try:
        parallel.set_count(count)
        y = conv2d_cython.forward(tiny, weight, None, *options)
        conv2d_cython.backward_weight(y, tiny, weight.shape, *options)
        kept = parallel.run(lambda start, stop: (tiny[0, 0, 0] * np.float32(0.5)).copy(), count)
    finally:
        parallel.set_count(before)
    assert np.abs(y).max() <= 300 * 1e-40
    assert len(kept) == count
    assert np.all(np.array(kept) > 0)
