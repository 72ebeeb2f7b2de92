# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Batch normalization in C: channel by channel, exact variance in one sweep, the result in another.

What is computed, and the shapes, stand in batch_norm_numpy; how, in simd/batch_norm.h.
"""

import numpy as np

from cython cimport floating

from minidl.kernels import parallel

cdef extern from "simd/level.h":
    int simd_streams()

# Values a thread should have, at least, for its start to pay.
LEAST = 65536

# Bytes of all arrays a call passes through from which on its result goes around the cache (measured
# together with what reads it next, on 32 MiB of shared cache), and of the longest vectors.
LARGE, ALIGNED = 22 << 20 if simd_streams() else 1 << 62, 64

cdef extern nogil:
    void batch_norm_forward_f32(
        const float*, const float*, const float*, const float*, double, float*, float*, float*,
        float*, float*, long, long, long, long, long, long, long)
    void batch_norm_forward_f64(
        const double*, const double*, const double*, const double*, double, double*, double*,
        double*, double*, double*, long, long, long, long, long, long, long)
    void batch_norm_backward_f32(
        const float*, const float*, const float*, const float*, const float*, const float*,
        const float*, float*, float*, float*, float*, long, long, long, long, long, long, long)
    void batch_norm_backward_f64(
        const double*, const double*, const double*, const double*, const double*, const double*,
        const double*, double*, double*, double*, double*, long, long, long, long, long, long, long)


cdef inline const floating* data(const floating[:, :, ::1] a) noexcept nogil:
    """The address of an array, or NULL for one without elements: not wanted."""
    return &a[0, 0, 0] if a.shape[0] else NULL


cdef inline floating* vector(floating[::1] a) noexcept nogil:
    return &a[0] if a.shape[0] else NULL


def _forward(
    const floating[:, :, ::1] x, const floating[:, :, ::1] residual,
    const floating[::1] gamma, const floating[::1] beta, double eps,
    floating[:, :, ::1] y, floating[:, :, ::1] x_hat,
    floating[::1] mean, floating[::1] var, floating[::1] inv_std,
    bint relu, bint stream, long start, long stop,
):
    cdef long n = x.shape[0], c = x.shape[1], s = x.shape[2]
    with nogil:
        if floating is float:
            batch_norm_forward_f32(
                &x[0, 0, 0], data(residual), &gamma[0], &beta[0], eps, &y[0, 0, 0],
                <floating*>data(x_hat), &mean[0], vector(var), &inv_std[0],
                n, c, s, relu, stream, start, stop)
        else:
            batch_norm_forward_f64(
                &x[0, 0, 0], data(residual), &gamma[0], &beta[0], eps, &y[0, 0, 0],
                <floating*>data(x_hat), &mean[0], vector(var), &inv_std[0],
                n, c, s, relu, stream, start, stop)


def _backward(
    const floating[:, :, ::1] dy, const floating[:, :, ::1] x, const floating[:, :, ::1] y,
    const floating[::1] mean, const floating[::1] inv_std, const floating[::1] gamma,
    const floating[::1] beta, floating[:, :, ::1] dx, floating[:, :, ::1] dz,
    floating[::1] dgamma, floating[::1] dbeta,
    bint given, bint stream, long start, long stop,
):
    cdef long n = x.shape[0], c = x.shape[1], s = x.shape[2]
    cdef const floating* centre = &mean[0] if mean.shape[0] else NULL
    cdef const floating* shift = &beta[0] if beta.shape[0] else NULL
    with nogil:
        if floating is float:
            batch_norm_backward_f32(
                &dy[0, 0, 0], &x[0, 0, 0], data(y), centre, &inv_std[0], &gamma[0],
                shift, &dx[0, 0, 0], <floating*>data(dz), &dgamma[0], &dbeta[0],
                n, c, s, given, stream, start, stop)
        else:
            batch_norm_backward_f64(
                &dy[0, 0, 0], &x[0, 0, 0], data(y), centre, &inv_std[0], &gamma[0],
                shift, &dx[0, 0, 0], <floating*>data(dz), &dgamma[0], &dbeta[0],
                n, c, s, given, stream, start, stop)


def _run(function, x, *args):
    """Call function(*args, start, stop) for all channels of x."""
    n, c, s = x.shape
    if x.size:
        parallel.run(
            lambda start, stop: function(*args, start, stop), c, LEAST // (n * s) + 1
        )


def _streams(result, arrays):
    """Whether a result goes around the cache: one of `arrays` that a call reads or writes.

    Its planes begin where vectors of any length may.
    """
    return (
        arrays * result.nbytes >= LARGE
        and result.shape[2] * result.itemsize % ALIGNED == 0
        and result.ctypes.data % ALIGNED == 0
    )


def _statistics(x, eps):
    """mean, var and inv_std to be filled, right for an empty batch."""
    c = x.shape[1]
    inv_std = np.empty(c, x.dtype) if x.size else np.full(c, eps**-0.5 if eps else np.inf, x.dtype)
    return np.zeros(c, x.dtype), np.zeros(c, x.dtype), inv_std


def forward(x, gamma, beta, eps):
    """y, x_hat, inv_std, mean, var of a batch; see batch_norm_numpy.forward."""
    y, x_hat, nothing = np.empty_like(x), np.empty_like(x), x[:0]
    mean, var, inv_std = _statistics(x, eps)
    _run(_forward, x, x, nothing, gamma, beta, eps, y, x_hat, mean, var, inv_std, False, False)
    return y, x_hat, inv_std, mean, var


def fused_forward(x, gamma, beta, residual, eps, relu):
    """y, inv_std, mean, var; see batch_norm_numpy.fused_forward."""
    y, nothing = np.empty_like(x), np.empty((0, *x.shape[1:]), x.dtype)
    mean, var, inv_std = _statistics(x, eps)
    added = nothing if residual is None else residual
    stream = _streams(y, 2 if residual is None else 3)
    _run(_forward, x, x, added, gamma, beta, eps, y, nothing, mean, var, inv_std, relu, stream)
    return y, inv_std, mean, var


def inference(x, gamma, beta, mean, var, eps):
    """y with given statistics; see batch_norm_numpy.inference."""
    return fused_inference(x, gamma, beta, mean, var, None, eps, False)


def fused_inference(x, gamma, beta, mean, var, residual, eps, relu):
    """y with given statistics, added to and cut; see batch_norm_numpy.fused_inference."""
    y, nothing = np.empty_like(x), np.empty((0, *x.shape[1:]), x.dtype)
    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))
    added = nothing if residual is None else residual
    stream = _streams(y, 2 if residual is None else 3)
    _run(
        _forward, x, x, added, gamma, beta, eps, y, nothing,
        mean.copy(), np.empty(0, x.dtype), inv_std, relu, stream,
    )
    return y


def backward(dy, x_hat, inv_std, gamma):
    """dx, dgamma, dbeta; see batch_norm_numpy.backward."""
    n, c, s = dy.shape
    dx, nothing = np.empty_like(dy), np.empty((0, c, s), dy.dtype)
    dgamma, dbeta = np.zeros(c, dy.dtype), np.zeros(c, dy.dtype)
    _run(
        _backward, dy, dy, x_hat, nothing, inv_std[:0], inv_std, gamma, gamma[:0], dx, nothing,
        dgamma, dbeta, False, _streams(dx, 3),
    )
    return dx, dgamma, dbeta


def fused_backward(dy, x, y, mean, inv_std, gamma, beta, add, out=None):
    """dx, dgamma, dbeta, dresidual; see batch_norm_numpy.fused_backward."""
    return _gradients(dy, x, y, mean, inv_std, gamma, beta, add, False, out)


def inference_backward(dy, x, y, mean, inv_std, gamma, beta, add):
    """dx, dgamma, dbeta, dresidual; see batch_norm_numpy.inference_backward."""
    return _gradients(dy, x, y, mean, inv_std, gamma, beta, add, True, None)


def _gradients(dy, x, y, mean, inv_std, gamma, beta, add, given, out):
    n, c, s = dy.shape
    dx = np.empty_like(dy) if out is None or add else out
    nothing = np.empty((0, c, s), dy.dtype)
    dgamma, dbeta = np.zeros(c, dy.dtype), np.zeros(c, dy.dtype)
    if add and y is None:
        dresidual = np.empty_like(dy) if out is None else out
        dresidual[...] = dy
    elif add:
        dresidual = np.empty_like(dy) if out is None else out
    else:
        dresidual = nothing
    masked = nothing if y is None else dresidual
    shift = gamma[:0] if beta is None else beta
    # What is read and written in one place goes through the cache anyway.
    stream = dx is not out and _streams(dx, 3 if y is None or beta is not None else 4)
    _run(
        _backward, dy, dy, x, nothing if y is None else y, mean, inv_std, gamma, shift, dx, masked,
        dgamma, dbeta, given, stream,
    )
    return dx, dgamma, dbeta, dresidual
