"""Checks of the conv2d assignment.

Expected values come from definitions.py, in float64. So do inputs that another task's function
produces: every task stands alone. Images and kernels are never square at once, and the two numbers
of a pair differ, so that whoever exchanges height and width is found out.

Tolerances are those of minidl.grading.compare (1e-7 of the largest value in float64, 1e-4 in
float32) where a check states no other; 1e-6 for central differences.
"""

import numpy as np
from numba import njit

from minidl.grading.check import check
from minidl.grading.compare import close
from minidl.grading.race import race

from .definitions import (
    Geometry,
    central_differences,
    correlate,
    draw_gradient,
    draw_layer,
    gradients,
    laid_out,
    put_back,
    starts,
)

# --- output_size ---------------------------------------------------------------------------------


@check(task="output_size", points=3, public=3, hidden=8)
def counts_the_positions(student, case):
    """As many as there are places where the whole kernel lies on the padded image."""
    kernel, stride, padding, dilation = case.turn(
        (3, 2, 1, 1), (2, 3, 0, 3), (5, 4, 2, 2), (4, 1, 3, 2), (1, 2, 0, 1), (7, 3, 3, 1)
    )
    size = 14 + case.rng.integers(0, 30, 7)
    got = student.output_size(size, kernel, stride, padding, dilation)
    want = [len(starts(int(s), kernel, stride, padding, dilation)) for s in size]
    close(got, np.array(want), "positions")


@check(task="output_size", points=1)
def counts_along_both_axes_at_once(student, case):
    """Every argument an array: height and width, each with a kernel of its own."""
    m = case.integer(2, 5)
    given = [case.rng.integers(low, high, m) for low, high in ((15, 40), (2, 6), (2, 5), (1, 4))]
    dilation = case.rng.integers(1, 4, m)
    got = student.output_size(*given, dilation)
    rows = zip(*given, dilation, strict=True)
    close(got, np.array([len(starts(*map(int, row))) for row in rows]), "positions")


@check(task="output_size", points=1)
def counts_none_where_none_fits(student, case):
    """Where the padded image is shorter than the kernel the answer is 0, never less, never 1."""
    kernel, stride, padding, dilation = case.turn((5, 3, 0, 2), (4, 2, 1, 3), (9, 4, 1, 1))
    size = np.arange(1, dilation * (kernel - 1) + 4)
    got = student.output_size(size, kernel, stride, padding, dilation)
    want = [len(starts(int(s), kernel, stride, padding, dilation)) for s in size]
    close(got, np.array(want), "positions")


# --- pad -----------------------------------------------------------------------------------------


def surrounded(x, padding):
    """Return x amid zeros, one pixel after the other."""
    n, c, h, w = x.shape
    padded = np.zeros((n, c, h + padding[0] + padding[0], w + padding[1] + padding[1]), x.dtype)
    for row, column in np.ndindex(h, w):
        padded[:, :, row + padding[0], column + padding[1]] = x[:, :, row, column]
    return padded


@check(task="pad", points=3, public=2, hidden=4)
def zeros_on_all_four_sides(student, case):
    """padding[0] rows above and below, padding[1] columns left and right, all zero."""
    padding = case.turn((1, 2), (3, 1), (2, 2), (1, 4))
    x = case.normal(2, case.integer(1, 3), 4, case.integer(2, 6), mean=3.0)
    close(student.pad(x, padding), surrounded(x, padding), "padded")


@check(task="pad", points=1, public=3, hidden=5)
def pads_one_way_or_not_at_all(student, case):
    """Only rows, only columns, nothing; one pixel, no image."""
    padding, shape = case.turn(
        ((2, 0), (2, 3, 3, 5)),
        ((0, 3), (1, 2, 4, 2)),
        ((0, 0), (2, 1, 3, 4)),
        ((1, 2), (1, 1, 1, 1)),
        ((1, 2), (0, 2, 3, 4)),
    )
    x = case.normal(*shape, mean=3.0)
    close(student.pad(x, padding), surrounded(x, padding), "padded")


@check(task="pad", points=1)
def pads_in_the_dtype_it_was_given(student, case):
    """float32 in, float32 out, and float64 in, float64 out."""
    x = case.normal(2, 3, 4, 5, mean=3.0, dtype=case.turn(np.float32, np.float64))
    close(student.pad(x, (2, 1)), surrounded(x, (2, 1)), "padded")


# --- convolve ------------------------------------------------------------------------------------


def asks_for_loops(function, case, shape, outputs, geometry, dtype=np.float64):
    """Compare y of a function of x, weight, bias, stride and padding."""
    x, weight, bias = draw_layer(case, shape, outputs, geometry, dtype=dtype)
    y = function(x, weight, bias, geometry.stride, geometry.padding)
    want = case.once("y", lambda: correlate(x, weight, bias, geometry))
    close(y, want.astype(dtype), "y")


@check(task="convolve", points=3)
def one_channel_step_by_step(student, case):
    """One channel in, one out, the kernel moving by one pixel, no padding."""
    geometry = Geometry(kernel=case.turn((2, 3), (3, 3), (3, 2), (1, 2), (2, 2), (3, 1)))
    shape = (1, 1, case.integer(4, 5), case.integer(6, 7))
    asks_for_loops(student.convolve, case, shape, 1, geometry)


@check(task="convolve", points=2)
def adds_up_all_channels(student, case):
    """Several images, channels in and channels out, each output with its own bias."""
    geometry = Geometry(kernel=case.turn((2, 2), (1, 3), (2, 3)))
    asks_for_loops(student.convolve, case, (2, case.integer(2, 3), 3, 4), 3, geometry)


@check(task="convolve", points=2, public=2, hidden=5)
def moves_by_the_stride(student, case):
    """Strides larger than 1, not the same both ways, with and without a rest at the edge."""
    stride = case.turn((1, 2), (2, 3), (3, 1), (2, 2), (4, 2))
    geometry = Geometry(kernel=(2, 2), stride=stride, padding=case.turn((0, 0), (1, 2)))
    asks_for_loops(student.convolve, case, (1, 2, case.integer(5, 7), 8), 2, geometry)


@check(task="convolve", points=2, public=2, hidden=5)
def sees_zeros_outside_the_image(student, case):
    """Padding, not the same both ways, also as wide as the kernel."""
    padding = case.turn((1, 2), (2, 1), (0, 1), (1, 0), (3, 3))
    geometry = Geometry(kernel=case.turn((3, 2), (2, 3)), padding=padding)
    asks_for_loops(student.convolve, case, (1, 2, 4, 3), 2, geometry)


@check(task="convolve", points=1, public=3, hidden=4)
def convolves_in_the_dtype_it_was_given(student, case):
    """float32 and float64; one pixel, and no image at all."""
    dtype = case.turn(np.float32, np.float64)
    shape = case.turn((2, 2, 3, 4), (1, 2, 1, 1), (0, 2, 3, 3))
    geometry = Geometry(kernel=case.turn((2, 2), (1, 1), (2, 3)))
    asks_for_loops(student.convolve, case, shape, 2, geometry, dtype)


# --- im2col --------------------------------------------------------------------------------------

LITTLE_COLUMNS = (
    ((2, 2, 3, 4), (2, 3)),
    ((2, 1, 3, 2), (3, 2)),
    ((0, 2, 3, 4), (2, 2)),
    ((1, 3, 1, 1), (1, 1)),
    ((3, 1, 2, 3), (1, 1)),
)


def steps_and_gaps(case):
    """Return a geometry with a stride and a dilation, not the same both ways."""
    return Geometry(
        kernel=case.turn((2, 2), (2, 3), (3, 2)),
        stride=case.turn((2, 1), (1, 3), (3, 2), (2, 2)),
        dilation=case.turn((1, 1), (1, 2), (2, 1), (3, 2)),
    )


def asks_for_columns(student, case, shape, geometry, dtype=np.float64):
    """Compare the student's columns with patches laid out one by one."""
    x = case.normal(*shape, mean=1.0, dtype=dtype)
    cols = student.im2col(x, geometry.kernel, geometry.stride, geometry.dilation)
    want = case.once("cols", lambda: laid_out(x, geometry))
    close(cols, want.astype(dtype), "cols")


@check(task="im2col", points=3)
def one_column_for_each_position(student, case):
    """A column for each position, in reading order; in it the patch, channel by channel."""
    kernel = case.turn((2, 2), (3, 3), (1, 1))
    asks_for_columns(student, case, (2, case.integer(2, 3), 4, 6), Geometry(kernel))


@check(task="im2col", points=3, public=3)
def lays_out_kernels_that_are_not_square(student, case):
    """Wide kernels and tall ones, over images that are not square either."""
    kernel = case.turn((2, 3), (3, 1), (1, 4), (3, 2), (4, 2), (2, 5))
    shape = (case.integer(1, 2), 2, case.integer(5, 6), case.integer(7, 8))
    asks_for_columns(student, case, shape, Geometry(kernel))


@check(task="im2col", points=2, public=3)
def lays_out_strides_and_dilations(student, case):
    """Steps and gaps, not the same both ways, with and without a rest at the edge."""
    asks_for_columns(student, case, (1, 2, case.integer(7, 9), 9), steps_and_gaps(case))


@check(task="im2col", points=2, public=3, hidden=5)
def columns_in_the_dtype_they_were_given(student, case):
    """float32 and float64; a kernel as large as the image, one pixel, no image."""
    shape, kernel = case.turn(*LITTLE_COLUMNS)
    dtype = case.turn(np.float32, np.float64)
    asks_for_columns(student, case, shape, Geometry(kernel), dtype)


# --- col2im --------------------------------------------------------------------------------------


def asks_for_images(student, case, shape, geometry, dtype=np.float64):
    """Compare the student's images with columns put back one by one."""
    depth, positions = laid_out(np.zeros((1, *shape[1:])), geometry).shape[1:]
    cols = case.normal(shape[0], depth, positions, mean=1.0, dtype=dtype)
    x = student.col2im(cols, shape, geometry.kernel, geometry.stride, geometry.dilation)
    want = case.once("x", lambda: put_back(cols, shape, geometry))
    close(x, want.astype(dtype), "x")


@check(task="col2im", points=3)
def adds_where_patches_overlap(student, case):
    """A pixel under several patches gets the sum of all its numbers."""
    kernel = case.turn((2, 3), (3, 2), (2, 2))
    shape = (case.integer(1, 2), 2, case.integer(4, 5), case.integer(5, 6))
    asks_for_images(student, case, shape, Geometry(kernel))


@check(task="col2im", points=2)
def puts_apart_what_lies_apart(student, case):
    """Patches that do not overlap: every number has a pixel of its own; untouched ones are 0."""
    kernel = case.turn((2, 3), (1, 2), (3, 1))
    rest = case.integer(0, 1)
    shape = (2, 2, 2 * kernel[0] + rest, 2 * kernel[1] + rest)
    asks_for_images(student, case, shape, Geometry(kernel, stride=kernel))


@check(task="col2im", points=3, public=3)
def puts_back_strides_and_dilations(student, case):
    """Steps and gaps, not the same both ways, with and without a rest at the edge."""
    asks_for_images(student, case, (1, 2, case.integer(7, 9), 9), steps_and_gaps(case))


@check(task="col2im", points=2, public=3, hidden=5)
def images_in_the_dtype_they_were_given(student, case):
    """float32 and float64; a kernel as large as the image, one pixel, no image."""
    shape, kernel = case.turn(*LITTLE_COLUMNS)
    dtype = case.turn(np.float32, np.float64)
    asks_for_images(student, case, shape, Geometry(kernel), dtype)


# --- forward, backward_bias, backward_weight, backward_input -------------------------------------

PLAIN = Geometry(kernel=(2, 3))
WINDOWS = (
    Geometry((2, 3), (2, 1), (1, 2), (1, 1)),
    Geometry((3, 2), (1, 2), (2, 1), (2, 3)),
    Geometry((2, 2), (3, 2), (0, 1), (1, 2)),
    Geometry((1, 3), (1, 3), (1, 0), (1, 2)),
)


def sides(case):
    """Return height and width of an image that has room for every one of WINDOWS."""
    return case.integer(6, 8), case.integer(7, 9)


def grouped(case):
    """Return shape, outputs, geometry and groups of a layer with several groups."""
    groups, channels, outputs = case.turn((2, 4, 6), (3, 3, 3), (2, 2, 4), (4, 4, 8))
    return (2, channels, 4, 5), outputs, PLAIN, groups


def little(case):
    """Return shape, outputs and geometry: kernels of one pixel, as large as the image, no image."""
    shape, kernel = case.turn(
        ((2, 3, 4, 4), (3, 2)),
        ((2, 3, 2, 3), (1, 1)),
        ((0, 2, 4, 3), (2, 2)),
        ((1, 2, 3, 2), (3, 2)),
        ((3, 2, 1, 1), (1, 1)),
    )
    return shape, 2, Geometry(kernel)


def asks_for_y(student, case, shape, outputs, geometry, groups=1, bias=True, dtype=np.float64):
    """Compare the student's y with one computed position by position."""
    x, weight, b = draw_layer(case, shape, outputs, geometry, groups, dtype)
    b = b if bias else None
    y = student.forward(x, weight, b, *geometry[1:], groups)
    want = case.once("y", lambda: correlate(x, weight, b, geometry, groups))
    close(y, want.astype(dtype), "y")


@check(task="forward", points=6)
def same_as_the_loops(student, case):
    """Stride 1 and no padding: y is what the plain loops give, with and without a bias."""
    shape = (2, case.integer(2, 3), 4, case.integer(5, 6))
    geometry = Geometry(case.turn((2, 3), (3, 2), (2, 2)))
    asks_for_y(student, case, shape, 4, geometry, bias=case.number % 2 == 0)


@check(task="forward", points=4, public=4, hidden=8)
def stride_padding_and_dilation(student, case):
    """All three, each not the same both ways."""
    asks_for_y(student, case, (1, 2, *sides(case)), 3, case.turn(*WINDOWS))


@check(task="forward", points=3, public=2, hidden=4)
def groups_see_their_own_channels(student, case):
    """With groups, part j of the output sees part j of the input; also one per channel."""
    asks_for_y(student, case, *grouped(case))


@check(task="forward", points=2, public=3, hidden=5)
def y_in_the_dtype_it_was_given(student, case):
    """float32 and float64; a kernel of one pixel, a kernel as large as the image, no image."""
    asks_for_y(student, case, *little(case), dtype=case.turn(np.float32, np.float64))


@check(task="backward_bias", points=3)
def adds_up_every_position(student, case):
    """dbias is the sum of dy over images and positions, channel by channel."""
    dy = case.normal(case.integer(2, 4), case.integer(2, 3), case.integer(4, 5), 6, mean=0.3)
    want = [sum(float(v) for v in dy[:, k].ravel()) for k in range(dy.shape[1])]
    close(student.backward_bias(dy), np.array(want), "dbias")


@check(task="backward_bias", points=2, public=3, hidden=4)
def dbias_in_the_dtype_it_was_given(student, case):
    """float32 and float64; one position, one channel, no image."""
    dtype = case.turn(np.float32, np.float64)
    shape = case.turn((3, 2, 4, 5), (2, 3, 1, 1), (0, 3, 2, 2), (4, 1, 3, 2))
    dy = case.normal(*shape, mean=0.3, dtype=dtype)
    want = [sum(float(v) for v in dy[:, k].ravel()) for k in range(dy.shape[1])]
    close(student.backward_bias(dy), np.array(want, dtype), "dbias")


def asks_for_dweight(student, case, shape, outputs, geometry, groups=1, dtype=np.float64):
    """Compare the student's dweight with what every output value hands back."""
    x, weight, _ = draw_layer(case, shape, outputs, geometry, groups, dtype)
    dy = draw_gradient(case, x, weight, geometry, dtype)
    got = student.backward_weight(dy, x, weight.shape, *geometry[1:], groups)
    want = case.once("dweight", lambda: gradients(dy, x, weight, geometry, groups)[1])
    close(got, want.astype(dtype), "dweight")


def loss_of_a_layer(case):
    """Return dy, x and weight of a plain layer, and the loss that has dy as its gradient by y."""
    geometry = case.turn(PLAIN, Geometry((2, 2)), Geometry((3, 1)))
    x, weight, bias = draw_layer(case, (2, 2, 3, 3), 2, geometry)
    dy = draw_gradient(case, x, weight, geometry)
    return dy, x, weight, lambda: np.sum(dy * correlate(x, weight, bias, geometry))


@check(task="backward_weight", points=3, public=1, hidden=2)
def dweight_by_central_differences(student, case):
    """dweight agrees with central differences of the loss by every weight."""
    dy, x, weight, loss = loss_of_a_layer(case)
    got = student.backward_weight(dy, x, weight.shape, *PLAIN[1:], 1)
    numeric = case.once("dweight", lambda: central_differences(loss, weight))
    close(got, numeric, "dweight", rtol=1e-6)


@check(task="backward_weight", points=4, public=4, hidden=8)
def dweight_with_stride_padding_and_dilation(student, case):
    """All three, each not the same both ways."""
    asks_for_dweight(student, case, (2, 2, *sides(case)), 3, case.turn(*WINDOWS))


@check(task="backward_weight", points=2, public=2, hidden=4)
def dweight_of_groups(student, case):
    """With groups, every kernel gets its gradient from its own part of the input."""
    asks_for_dweight(student, case, *grouped(case))


@check(task="backward_weight", points=1, public=3, hidden=5)
def dweight_in_the_dtype_it_was_given(student, case):
    """float32 and float64; a kernel of one pixel, a kernel as large as the image, no image."""
    asks_for_dweight(student, case, *little(case), dtype=case.turn(np.float32, np.float64))


def asks_for_dx(student, case, shape, outputs, geometry, groups=1, dtype=np.float64):
    """Compare the student's dx with what every output value hands back."""
    x, weight, _ = draw_layer(case, shape, outputs, geometry, groups, dtype)
    dy = draw_gradient(case, x, weight, geometry, dtype)
    got = student.backward_input(dy, weight, x.shape, *geometry[1:], groups)
    want = case.once("dx", lambda: gradients(dy, x, weight, geometry, groups)[0])
    close(got, want.astype(dtype), "dx")


@check(task="backward_input", points=3, public=1, hidden=2)
def dx_by_central_differences(student, case):
    """dx agrees with central differences of the loss by every pixel."""
    dy, x, weight, loss = loss_of_a_layer(case)
    got = student.backward_input(dy, weight, x.shape, *PLAIN[1:], 1)
    numeric = case.once("dx", lambda: central_differences(loss, x))
    close(got, numeric, "dx", rtol=1e-6)


@check(task="backward_input", points=4, public=4, hidden=8)
def dx_with_stride_padding_and_dilation(student, case):
    """All three, each not the same both ways, with and without a rest at the edge."""
    asks_for_dx(student, case, (2, 2, *sides(case)), 3, case.turn(*WINDOWS))


@check(task="backward_input", points=2, public=2, hidden=4)
def dx_of_groups(student, case):
    """With groups, every part of the input gets its gradient from its own part of the output."""
    asks_for_dx(student, case, *grouped(case))


@check(task="backward_input", points=1, public=3, hidden=5)
def dx_in_the_dtype_it_was_given(student, case):
    """float32 and float64; a kernel of one pixel, a kernel as large as the image, no image."""
    asks_for_dx(student, case, *little(case), dtype=case.turn(np.float32, np.float64))


# --- forward_numba, forward_cython ---------------------------------------------------------------


SMALL = (
    ((1, 2, 1, 1), (1, 1)),
    ((2, 1, 3, 2), (3, 2)),
    ((0, 2, 3, 3), (2, 3)),
    ((2, 3, 2, 4), (1, 1)),
)
MOVES = (
    Geometry((2, 3), (2, 1), (1, 2)),
    Geometry((3, 2), (1, 2), (2, 0)),
    Geometry((2, 2), (3, 2), (0, 1)),
    Geometry((3, 3), (2, 3), (2, 2)),
)


@check(task="forward_numba", points=3)
def compiled_loops_add_up_all_channels(student, case):
    """Stride 1 and no padding: several images, channels in and channels out."""
    shape = (2, case.integer(2, 3), 4, case.integer(5, 6))
    geometry = Geometry(case.turn((2, 3), (3, 2), (2, 2)))
    asks_for_loops(student.forward_numba, case, shape, 3, geometry, np.float32)


@check(task="forward_numba", points=3, public=3)
def compiled_loops_move_and_see_zeros(student, case):
    """Strides and padding, not the same both ways, with and without a rest at the edge."""
    shape = (1, 2, case.integer(5, 6), case.integer(6, 7))
    asks_for_loops(student.forward_numba, case, shape, 2, case.turn(*MOVES), np.float32)


@check(task="forward_numba", points=1, public=2, hidden=4)
def compiled_loops_on_little(student, case):
    """One pixel, a kernel as large as the image, no image."""
    shape, kernel = case.turn(*SMALL)
    asks_for_loops(student.forward_numba, case, shape, 2, Geometry(kernel), np.float32)


@njit
def plain_loops(x, weight, bias, stride, padding):
    """Return y by compiled loops in the order of the formula: what a student is raced against."""
    h, w = x.shape[2:]
    oh = (h + 2 * padding[0] - weight.shape[2]) // stride[0] + 1
    ow = (w + 2 * padding[1] - weight.shape[3]) // stride[1] + 1
    y = np.empty((len(x), len(weight), oh, ow), x.dtype)
    for image, k, p, q in np.ndindex(y.shape):
        total = bias[k]
        for channel, i, j in np.ndindex(weight.shape[1:]):
            row, column = p * stride[0] - padding[0] + i, q * stride[1] - padding[1] + j
            if 0 <= row < h and 0 <= column < w:
                total += weight[k, channel, i, j] * x[image, channel, row, column]
        y[image, k, p, q] = total
    return y


@check(task="forward_numba", points=5, public=1, hidden=2)
def as_fast_as_compiled_loops(student, case):
    """At most ten times the time of plain compiled loops, side by side on one machine.

    Plain Python takes several hundred times as long; honest compiled loops of any order take less
    than three. On a busy machine a call may wait some milliseconds for its turn.
    """
    geometry = Geometry((3, 3), padding=(1, 1), stride=case.turn((1, 1), (1, 2)))
    x, weight, bias = draw_layer(case, (2, 6, 12, 20), 8, geometry, dtype=np.float32)
    given = x, weight, bias, geometry.stride, geometry.padding
    race(student, "forward_numba", given, plain_loops, at_most=10.0)


@check(task="forward_cython", points=3)
def typed_loops_add_up_all_channels(student, case):
    """Stride 1 and no padding: several images, channels in and channels out."""
    shape = (2, case.integer(2, 3), 3, case.integer(4, 5))
    geometry = Geometry(case.turn((2, 3), (3, 2), (2, 2)))
    asks_for_loops(student.forward_cython, case, shape, 3, geometry, np.float32)


@check(task="forward_cython", points=4, public=3)
def typed_loops_move_and_see_zeros(student, case):
    """Strides and padding, not the same both ways, with and without a rest at the edge."""
    shape = (1, 2, case.integer(5, 6), case.integer(6, 7))
    asks_for_loops(student.forward_cython, case, shape, 2, case.turn(*MOVES), np.float32)


@check(task="forward_cython", points=1, public=2, hidden=4)
def typed_loops_on_little(student, case):
    """One pixel, a kernel as large as the image, no image."""
    shape, kernel = case.turn(*SMALL)
    asks_for_loops(student.forward_cython, case, shape, 2, Geometry(kernel), np.float32)
