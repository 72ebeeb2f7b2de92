"""What must hold, by definition, and how inputs are drawn: what the checks are made of.

Position by position, in float64: where the kernel starts is counted, not computed, and a gradient
is what each output value hands back. No algebra is shared with a solution's formulas.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from minidl.gradcheck import central_differences as differences

# The loss is linear in every single input, so a large step loses nothing.
central_differences = partial(differences, eps=1e-2)


class Geometry(NamedTuple):
    """How a kernel moves; each a pair, vertical and horizontal."""

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)


def starts(size, kernel, stride, padding, dilation):
    """Return where on the padded axis a kernel may start, found by trying every pixel."""
    whole = size + 2 * padding
    return [s for s in range(0, whole, stride) if s + dilation * (kernel - 1) < whole]


def placed(x, geometry):
    """Return x in float64 amid its zeros, and for each position the pixels under the kernel."""
    n, c, h, w = x.shape
    ph, pw = geometry.padding
    padded = np.zeros((n, c, h + ph + ph, w + pw + pw))
    padded[:, :, ph : h + ph, pw : w + pw] = x
    kernel, dilation = geometry.kernel, geometry.dilation
    tops, lefts = (
        starts(size, *(pair[axis] for pair in geometry)) for axis, size in enumerate((h, w))
    )
    windows = {
        (p, q): np.ix_(
            [top + i * dilation[0] for i in range(kernel[0])],
            [left + j * dilation[1] for j in range(kernel[1])],
        )
        for p, top in enumerate(tops)
        for q, left in enumerate(lefts)
    }
    return padded, windows, (len(tops), len(lefts))


def correlate(x, weight, bias, geometry, groups=1):
    """Return y in float64, one position and one output channel after the other."""
    padded, windows, positions = placed(x, geometry)
    o, part = weight.shape[:2]
    kernels = weight.astype(np.float64)
    y = np.zeros((len(x), o, *positions))
    for (p, q), (rows, columns) in windows.items():
        patch = padded[:, :, rows, columns]
        for k in range(o):
            first = k // (o // groups) * part
            y[:, k, p, q] = (patch[:, first : first + part] * kernels[k]).sum(axis=(1, 2, 3))
            y[:, k, p, q] += 0.0 if bias is None else float(bias[k])
    return y


def gradients(dy, x, weight, geometry, groups=1):
    """Return dx and dweight in float64: what every single output value hands back, added up."""
    padded, windows, _ = placed(x, geometry)
    (o, part), (n, _, h, w), (ph, pw) = weight.shape[:2], x.shape, geometry.padding
    dpadded, dweight = np.zeros_like(padded), np.zeros(weight.shape)
    kernels = weight.astype(np.float64)
    for (p, q), (rows, columns) in windows.items():
        patch = padded[:, :, rows, columns]
        for k in range(o):
            mine = slice(k // (o // groups) * part, k // (o // groups) * part + part)
            for image in range(n):
                g = float(dy[image, k, p, q])
                dweight[k] += g * patch[image, mine]
                dpadded[image][mine, rows, columns] += g * kernels[k]
    return dpadded[:, :, ph : h + ph, pw : w + pw], dweight


def laid_out(x, geometry):
    """Return the patches of x as columns in float64, one position after the other."""
    padded, windows, _ = placed(x, geometry)
    n, c = x.shape[:2]
    patches = [padded[:, :, rows, columns] for rows, columns in windows.values()]
    columns = [[patch[image].ravel() for patch in patches] for image in range(n)]
    depth = c * geometry.kernel[0] * geometry.kernel[1]
    return np.array(columns).reshape(n, len(windows), depth).swapaxes(1, 2)


def put_back(cols, shape, geometry):
    """Return the sum, pixel by pixel, of all the numbers of cols that lie on it, in float64."""
    x, windows, _ = placed(np.zeros(shape), geometry)
    kernel = geometry.kernel
    for t, (rows, columns) in enumerate(windows.values()):
        for image in range(shape[0]):
            patch = cols[image, :, t].astype(np.float64).reshape(shape[1], *kernel)
            x[image][:, rows, columns] += patch
    return x


def draw_layer(case, shape, outputs, geometry, groups=1, dtype=np.float64):
    """Return x, weight and bias, none of them centred at zero."""
    weight = (outputs, shape[1] // groups, *geometry.kernel)
    return (
        case.normal(*shape, mean=0.4, dtype=dtype),
        case.normal(*weight, mean=-0.3, dtype=dtype),
        case.normal(outputs, mean=1.0, dtype=dtype),
    )


def draw_gradient(case, x, weight, geometry, dtype=np.float64):
    """Return a dy for x and weight, not centred at zero."""
    _, _, positions = placed(x, geometry)
    return case.normal(len(x), len(weight), *positions, mean=0.3, dtype=dtype)
