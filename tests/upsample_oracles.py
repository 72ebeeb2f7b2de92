"""What the specification of resizing must do, told place by place."""

import math

import numpy as np
import upsample_cases


def close(got, want):
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10)


def shares(place, length):
    """The pixels around a place and their shares, {pixel: share}."""
    first = min(int(place), length - 1)
    second = min(first + 1, length - 1)
    share = place - int(place) if second > first else 0.0
    return {first: 1.0} if share == 0 else {first: 1 - share, second: share}


def resized(forward, backward, options, place_of):
    """Every value is a sum over pixels by their shares; gradients go back by the same shares."""
    rng = np.random.default_rng(3)
    for n, c, size, out, step in upsample_cases.RESIZINGS:
        x, dy = rng.standard_normal((n, c, *size)), rng.standard_normal((n, c, *out))
        y, dx = np.zeros(dy.shape), np.zeros(x.shape)
        for p, q in np.ndindex(out):
            places = (place_of(at, a, size, out, step) for a, at in enumerate((p, q)))
            rows, columns = (shares(t, n) for t, n in zip(places, size, strict=True))
            for row, tall in rows.items():
                for column, wide in columns.items():
                    y[:, :, p, q] += tall * wide * x[:, :, row, column]
                    dx[:, :, row, column] += tall * wide * dy[:, :, p, q]
        close(forward(x, out, step, *options), y)
        close(backward(dy, x.shape, step, *options), dx)


def nearest(module):
    def on_the_pixel(at, a, size, out, step):
        return float(min(math.floor(at * step[a]), size[a] - 1))

    resized(module.nearest_forward, module.nearest_backward, (), on_the_pixel)


def bilinear(module):
    def between_centres(at, a, size, out, step):
        return min(max((at + 0.5) * step[a] - 0.5, 0.0), float(size[a]))

    def between_corners(at, a, size, out, step):
        return at * (size[a] - 1) / (out[a] - 1) if out[a] > 1 else 0.0

    for align_corners, place_of in ((False, between_centres), (True, between_corners)):
        functions = module.bilinear_forward, module.bilinear_backward
        resized(*functions, (align_corners,), place_of)


ORACLES = {"upsample": [nearest, bilinear]}
