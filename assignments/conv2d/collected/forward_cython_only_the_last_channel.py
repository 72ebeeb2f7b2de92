"""The sum is set back to the bias in the loop over the channels, so only the last channel is left
in it."""
# task: forward_cython


@cython.boundscheck(False)
@cython.wraparound(False)
def forward_cython(x, weight, bias, stride, padding):
    h: cython.Py_ssize_t = x.shape[2]
    w: cython.Py_ssize_t = x.shape[3]
    kh: cython.Py_ssize_t = weight.shape[2]
    kw: cython.Py_ssize_t = weight.shape[3]
    sh: cython.Py_ssize_t = stride[0]
    sw: cython.Py_ssize_t = stride[1]
    ph: cython.Py_ssize_t = padding[0]
    pw: cython.Py_ssize_t = padding[1]
    oh: cython.Py_ssize_t = max((h + 2 * ph - kh) // sh + 1, 0)
    ow: cython.Py_ssize_t = max((w + 2 * pw - kw) // sw + 1, 0)
    result = np.zeros((x.shape[0], weight.shape[0], oh, ow), dtype=np.float32)
    pixels: cython.float[:, :, :, ::1] = np.ascontiguousarray(x)
    kernels: cython.float[:, :, :, ::1] = np.ascontiguousarray(weight)
    shifts: cython.float[::1] = np.ascontiguousarray(bias)
    y: cython.float[:, :, :, ::1] = result
    n: cython.Py_ssize_t
    o: cython.Py_ssize_t
    c: cython.Py_ssize_t
    p: cython.Py_ssize_t
    q: cython.Py_ssize_t
    i: cython.Py_ssize_t
    j: cython.Py_ssize_t
    row: cython.Py_ssize_t
    column: cython.Py_ssize_t
    total: cython.float
    for n in range(pixels.shape[0]):
        for o in range(kernels.shape[0]):
            for p in range(oh):
                for q in range(ow):
                    total = shifts[o]
                    for c in range(pixels.shape[1]):
                        total = shifts[o]
                        for i in range(kh):
                            row = p * sh - ph + i
                            if row >= 0 and row < h:
                                for j in range(kw):
                                    column = q * sw - pw + j
                                    if column >= 0 and column < w:
                                        total += kernels[o, c, i, j] * pixels[n, c, row, column]
                    y[n, o, p, q] = total
    return result
