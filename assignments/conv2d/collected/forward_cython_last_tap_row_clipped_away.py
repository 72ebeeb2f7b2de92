"""The taps that lie on the image are bounded beforehand, and the upper bound is one too small: the
range stops before h - 1 - start."""
# task: forward_cython


@cython.boundscheck(False)
@cython.wraparound(False)
def forward_cython(x, weight, bias, stride, padding):
    images: cython.float[:, :, :, ::1] = np.ascontiguousarray(x)
    k: cython.float[:, :, :, ::1] = np.ascontiguousarray(weight)
    b: cython.float[::1] = np.ascontiguousarray(bias)
    h: cython.Py_ssize_t = images.shape[2]
    w: cython.Py_ssize_t = images.shape[3]
    kh: cython.Py_ssize_t = k.shape[2]
    kw: cython.Py_ssize_t = k.shape[3]
    oh: cython.Py_ssize_t = max((h + 2 * padding[0] - kh) // stride[0] + 1, 0)
    ow: cython.Py_ssize_t = max((w + 2 * padding[1] - kw) // stride[1] + 1, 0)
    y = np.zeros((images.shape[0], k.shape[0], oh, ow), np.float32)
    out: cython.float[:, :, :, ::1] = y
    n: cython.Py_ssize_t
    o: cython.Py_ssize_t
    c: cython.Py_ssize_t
    p: cython.Py_ssize_t
    q: cython.Py_ssize_t
    i: cython.Py_ssize_t
    j: cython.Py_ssize_t
    top: cython.Py_ssize_t
    left: cython.Py_ssize_t
    acc: cython.float
    for n in range(images.shape[0]):
        for o in range(k.shape[0]):
            for p in range(oh):
                top = p * stride[0] - padding[0]
                for q in range(ow):
                    left = q * stride[1] - padding[1]
                    acc = b[o]
                    for c in range(images.shape[1]):
                        for i in range(max(0, -top), min(kh, h - 1 - top)):
                            for j in range(max(0, -left), min(kw, w - left)):
                                acc += k[o, c, i, j] * images[n, c, top + i, left + j]
                    out[n, o, p, q] = acc
    return y
