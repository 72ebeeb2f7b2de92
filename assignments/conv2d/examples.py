"""Calls small enough to try by hand, the smallest first: of those that go wrong one is shown."""

import numpy as np

from minidl.grading.example import example

from .definitions import Geometry, placed

# Shape of x, number of outputs, geometry, groups. Everything is 1 that need not be more for one
# thing to be seen: the kernel's direction, overlap, a batch, channels, stride, padding, dilation.
LAYERS = (
    ((1, 1, 1, 1), 1, Geometry((1, 1)), 1),
    ((1, 1, 1, 2), 1, Geometry((1, 1)), 1),
    ((1, 1, 1, 2), 1, Geometry((1, 2)), 1),
    ((1, 1, 2, 1), 1, Geometry((2, 1)), 1),
    ((1, 1, 1, 3), 1, Geometry((1, 2)), 1),
    ((1, 1, 3, 1), 1, Geometry((2, 1)), 1),
    ((2, 1, 1, 1), 1, Geometry((1, 1)), 1),
    ((1, 2, 1, 1), 1, Geometry((1, 1)), 1),
    ((1, 1, 1, 1), 2, Geometry((1, 1)), 1),
    ((1, 1, 1, 3), 1, Geometry((1, 1), stride=(1, 2)), 1),
    ((1, 1, 3, 1), 1, Geometry((1, 1), stride=(2, 1)), 1),
    ((1, 1, 1, 1), 1, Geometry((1, 1), padding=(0, 1)), 1),
    ((1, 1, 1, 1), 1, Geometry((1, 1), padding=(1, 0)), 1),
    ((1, 1, 1, 1), 1, Geometry((1, 2), padding=(0, 1)), 1),
    ((1, 1, 1, 3), 1, Geometry((1, 2), dilation=(1, 2)), 1),
    ((1, 1, 3, 1), 1, Geometry((2, 1), dilation=(2, 1)), 1),
    ((1, 1, 1, 4), 1, Geometry((1, 2), stride=(1, 2)), 1),
    ((1, 1, 2, 2), 1, Geometry((1, 1)), 1),
    ((1, 1, 2, 2), 1, Geometry((2, 2)), 1),
    ((1, 1, 2, 3), 1, Geometry((2, 2)), 1),
    ((1, 2, 1, 2), 1, Geometry((1, 2)), 1),
    ((1, 1, 1, 3), 2, Geometry((1, 1)), 1),
    ((1, 2, 1, 1), 4, Geometry((1, 1)), 2),
    ((1, 4, 1, 1), 2, Geometry((1, 1)), 2),
)


def counted(*shape, first=1.0):
    """Return the numbers from `first` on, in the order in which they are read."""
    return first + np.arange(np.prod(shape, dtype=int), dtype=np.float64).reshape(shape)


def layers():
    """Yield x, weight, bias, dy, geometry and groups of each of LAYERS."""
    for shape, outputs, geometry, groups in LAYERS:
        x = counted(*shape)
        weight = counted(outputs, shape[1] // groups, *geometry.kernel)
        positions = placed(x, geometry)[2]
        dy = counted(shape[0], outputs, *positions)
        yield x, weight, counted(outputs, first=10.0), dy, geometry, groups


def plain():
    """Yield the same without groups, padding and a second output: what columns are made of."""
    for x, weight, _, _, geometry, groups in layers():
        if groups == len(weight) == 1 and not any(geometry.padding):
            yield x, geometry


def with_bias(dtype=np.float64):
    """Yield x, weight, bias, stride and padding of all that have neither dilation nor groups."""
    for *arrays, _, geometry, groups in layers():
        if groups == 1 and geometry.dilation == (1, 1):
            yield *(array.astype(dtype) for array in arrays), geometry.stride, geometry.padding


@example("output_size")
def images_of_one_length():
    """Kernel, stride, padding and dilation one by one; then a rest, and kernels that do not fit."""
    for size, *rest in (
        (2, 1, 1, 0, 1),
        (3, 2, 1, 0, 1),
        (3, 1, 2, 0, 1),
        (4, 1, 2, 0, 1),
        (3, 2, 1, 1, 1),
        (5, 2, 1, 0, 2),
        (1, 2, 2, 0, 1),
        (1, 3, 1, 0, 1),
        (1, 2, 3, 0, 1),
        (6, 1, 3, 0, 1),
    ):
        yield np.array([size]), *rest


@example("pad")
def one_pixel_and_two():
    """Rows, columns, both; then two pixels."""
    for shape in ((1, 1, 1, 1), (1, 1, 1, 2)):
        for padding in ((1, 0), (0, 1), (1, 1)):
            yield counted(*shape), padding


@example("convolve")
def small_layers_in_loops():
    """Without dilation and groups."""
    yield from with_bias()


@example("im2col")
def small_images():
    """Without padding."""
    for x, geometry in plain():
        yield x, geometry.kernel, geometry.stride, geometry.dilation


@example("col2im")
def small_columns():
    """As many columns as there are positions."""
    for x, geometry in plain():
        depth = x.shape[1] * geometry.kernel[0] * geometry.kernel[1]
        positions = placed(x, geometry)[2]
        cols = counted(len(x), depth, positions[0] * positions[1])
        yield cols, x.shape, geometry.kernel, geometry.stride, geometry.dilation


@example("forward")
def small_layers():
    """All of them."""
    for x, weight, bias, _, geometry, groups in layers():
        yield x, weight, bias, *geometry[1:], groups


@example("backward_bias")
def small_gradients():
    """One value, two positions, two images, two channels."""
    for shape in ((1, 1, 1, 1), (1, 1, 1, 2), (2, 1, 1, 1), (1, 2, 1, 1), (1, 1, 2, 1)):
        yield (counted(*shape),)


@example("backward_weight")
def small_layers_backwards_to_the_weights():
    """All of them."""
    for x, weight, _, dy, geometry, groups in layers():
        yield dy, x, weight.shape, *geometry[1:], groups


@example("backward_input")
def small_layers_backwards_to_the_image():
    """All of them."""
    for x, weight, _, dy, geometry, groups in layers():
        yield dy, weight, x.shape, *geometry[1:], groups


@example("forward_cython")
def small_layers_in_typed_loops():
    """In float32."""
    yield from with_bias(np.float32)
