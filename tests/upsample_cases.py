"""Inputs for the resizing kernels, as kernel_cases has them for the others."""

RESIZINGS = [
    # n, c, (h, w), (oh, ow), step
    (2, 1, (3, 4), (6, 8), (0.5, 0.5)),
    (1, 2, (5, 4), (3, 2), (5 / 3, 2.0)),
    (1, 1, (3, 4), (5, 3), (1 / 1.7, 1.3)),
    (1, 1, (2, 1), (6, 4), (0.5, 0.25)),  # more places than there are pixels to read from
    (1, 2, (4, 3), (1, 1), (4.0, 3.0)),
    (0, 2, (3, 3), (5, 5), (0.6, 0.6)),
]


def upsample(rng, dtype):
    for n, c, size, out, step in RESIZINGS:
        x = rng.standard_normal((n, c, *size)).astype(dtype)
        dy = rng.standard_normal((n, c, *out)).astype(dtype)
        yield "nearest_forward", (x, out, step)
        yield "nearest_backward", (dy, x.shape, step)
        for align_corners in (False, True):
            yield "bilinear_forward", (x, out, step, align_corners)
            yield "bilinear_backward", (dy, x.shape, step, align_corners)


CASES = {"upsample": upsample}
