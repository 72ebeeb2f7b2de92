# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Two-dimensional convolution in C; what is computed, and the shapes, stand in conv2d_numpy.

Implicit GEMM serves every convolution: kernels/simd/conv2d.h. Work is cut into lines, rows of
output positions over all images, and spread over threads.
"""

import numpy as np

cimport numpy as cnp

from minidl.kernels import parallel

# True: every sum as the definition has it, no faster algorithm that rounds more.
precise = False

# Multiplications a thread should have, at least, for its start to pay.
LEAST = 10_000_000

# Extents beyond this are longer than any memory and are refused, so that products of them and of
# a kernel's size stay numbers of the machine.
FARTHEST = 1 << 40

cdef extern nogil:
    void conv2d_forward_f32(
        const float*, const float*, const float*, float*, const long*, long, long, int*)
    void conv2d_forward_f64(
        const double*, const double*, const double*, double*, const long*, long, long, int*)
    void conv2d_backward_input_f32(
        const float*, const float*, float*, const long*, long, long, int*)
    void conv2d_backward_input_f64(
        const double*, const double*, double*, const long*, long, long, int*)
    void conv2d_backward_weight_f32(
        const float*, const float*, float*, const long*, long, long, int*)
    void conv2d_backward_weight_f64(
        const double*, const double*, double*, const long*, long, long, int*)
    void conv2d_scatter_f32(const float*, const float*, float*, const long*, long, long)
    void conv2d_scatter_f64(const double*, const double*, double*, const long*, long, long)

cdef enum:
    FORWARD, INPUT, WEIGHT, SCATTER


cdef class _Call:
    """One convolution: its sizes, in the order of conv2d_geometry, and the arrays it works on."""

    cdef long sizes[16]
    cdef bint double
    cdef int function
    cdef void* pointers[4]

    def __init__(self, x_shape, weight_shape, stride, padding, dilation, groups):
        n, c, h, w = x_shape
        o, each, kh, kw = weight_shape
        (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
        if max(sh, sw, ph, pw, dh, dw) > FARTHEST:
            raise MemoryError("conv2d: an image with so much around it fits no memory")
        oh = (h + 2 * ph - dh * (kh - 1) - 1) // sh + 1
        ow = (w + 2 * pw - dw * (kw - 1) - 1) // sw + 1
        if each * groups != c or o % groups:
            raise ValueError(f"conv2d: channels {c} and {o} with {groups} groups of {each}")
        cdef long* a = self.sizes
        a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7] = n, c, h, w, o, kh, kw, sh
        a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15] = sw, ph, pw, dh, dw, groups, oh, ow

    cdef place(self, int slot, array, bint double, shape):
        """Take an array: contiguous, of the call's type and of the shape expected."""
        cdef cnp.ndarray a = array
        if not cnp.PyArray_IS_C_CONTIGUOUS(a) or cnp.PyArray_TYPE(a) != (
            cnp.NPY_DOUBLE if double else cnp.NPY_FLOAT
        ):
            raise ValueError("conv2d: expected C-contiguous arrays, all float32 or all float64")
        if array.shape != shape:
            raise ValueError(f"conv2d: expected shape {shape}, got {array.shape}")
        self.pointers[slot] = cnp.PyArray_DATA(a)

    cdef run(self, void* out, long start, long stop):
        """Compute the part from line start to line stop."""
        cdef int failed = 0
        cdef void** p = self.pointers
        cdef const long* sizes = self.sizes
        with nogil:
            if self.function == FORWARD and self.double:
                conv2d_forward_f64(
                    <double*>p[0], <double*>p[1], <double*>p[2], <double*>out, sizes, start, stop,
                    &failed)
            elif self.function == FORWARD:
                conv2d_forward_f32(
                    <float*>p[0], <float*>p[1], <float*>p[2], <float*>out, sizes, start, stop,
                    &failed)
            elif self.function == INPUT and self.double:
                conv2d_backward_input_f64(
                    <double*>p[0], <double*>p[1], <double*>out, sizes, start, stop, &failed)
            elif self.function == INPUT:
                conv2d_backward_input_f32(
                    <float*>p[0], <float*>p[1], <float*>out, sizes, start, stop, &failed)
            elif self.function == WEIGHT and self.double:
                conv2d_backward_weight_f64(
                    <double*>p[0], <double*>p[1], <double*>out, sizes, start, stop, &failed)
            elif self.function == WEIGHT:
                conv2d_backward_weight_f32(
                    <float*>p[0], <float*>p[1], <float*>out, sizes, start, stop, &failed)
            elif self.double:
                conv2d_scatter_f64(<double*>p[0], <double*>p[1], <double*>out, sizes, start, stop)
            else:
                conv2d_scatter_f32(<float*>p[0], <float*>p[1], <float*>out, sizes, start, stop)
        if failed == 1:
            raise MemoryError("conv2d: no memory for the windows")
        return failed


def forward(x, weight, bias, stride, padding, dilation, groups):
    """y = x convolved with weight, plus bias; see conv2d_numpy.forward."""
    cdef _Call call = _Call(x.shape, weight.shape, stride, padding, dilation, groups)
    cdef long* a = call.sizes
    y = np.empty((a[0], a[4], a[14], a[15]), x.dtype)
    if x.size == 0 or y.size == 0:
        y[...] = 0 if bias is None else bias[:, None, None]
        return y
    call.function, call.double = FORWARD, x.dtype == np.float64
    call.place(0, x, call.double, x.shape)
    call.place(1, weight, call.double, weight.shape)
    if bias is not None:
        call.place(2, bias, call.double, weight.shape[:1])
    call.place(3, y, call.double, y.shape)
    parallel.run(
        lambda start, stop: call.run(call.pointers[3], start, stop),
        a[0] * a[14], LEAST // (a[15] * weight.size) + 1)
    return y


def backward_input(dy, weight, x_shape, stride, padding, dilation, groups):
    """dx, the gradient by x; see conv2d_numpy.backward_input."""
    x_shape = tuple(x_shape)
    cdef _Call call = _Call(x_shape, weight.shape, stride, padding, dilation, groups)
    cdef long* a = call.sizes
    dx = np.empty(x_shape, dy.dtype)
    if dx.size == 0 or dy.size == 0:
        dx[...] = 0
        return dx
    call.function, call.double = INPUT, dy.dtype == np.float64
    call.place(0, dy, call.double, (a[0], a[4], a[14], a[15]))
    call.place(1, weight, call.double, weight.shape)
    call.place(3, dx, call.double, x_shape)
    lines = (a[2] - 1) // a[7] + 1
    least = LEAST // (a[14] * a[15] * weight.size // lines + 1) + 1
    part = lambda start, stop: call.run(call.pointers[3], start, stop)
    if any(parallel.run(part, a[0] * lines, least)):
        call.function = SCATTER
        parallel.run(part, a[0])
    return dx


def backward_weight(dy, x, weight_shape, stride, padding, dilation, groups):
    """dweight, the gradient by weight; see conv2d_numpy.backward_weight."""
    weight_shape = tuple(weight_shape)
    cdef _Call call = _Call(x.shape, weight_shape, stride, padding, dilation, groups)
    cdef long* a = call.sizes
    if dy.size == 0 or x.size == 0:
        return np.zeros(weight_shape, dy.dtype)
    call.function, call.double = WEIGHT, dy.dtype == np.float64
    call.place(0, dy, call.double, (a[0], a[4], a[14], a[15]))
    call.place(1, x, call.double, x.shape)

    def part(start, stop):
        cdef cnp.ndarray dweight = np.empty(weight_shape, dy.dtype)
        call.run(cnp.PyArray_DATA(dweight), start, stop)
        return dweight

    total, *others = parallel.run(
        part, a[0] * a[14], LEAST // (a[15] * a[4] * a[1] // a[13] * a[5] * a[6] + 1) + 1)
    for dweight in others:
        total += dweight
    return total
