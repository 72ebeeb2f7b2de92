# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Group normalization in C; what is computed, and the shapes, stand in group_norm_numpy."""

import numpy as np

from cython cimport floating

from minidl.kernels import parallel

cdef extern from "simd/level.h":
    int simd_streams()

# Values a thread should have, at least, for its start to pay.
LEAST = 65536

# Bytes of all arrays a call passes through from which on its result goes around the cache (measured
# together with what reads it next, on 32 MiB of shared cache: with less the detour costs, with more
# it pays), and of the runs that are worth aligning for it.
LARGE, LONG = 22 << 20 if simd_streams() else 1 << 62, 1 << 10

cdef extern nogil:
    void group_norm_forward_f32(
        const float*, const float*, const float*, float*, float*, float*,
        long, long, long, long, long, double, long)
    void group_norm_forward_f64(
        const double*, const double*, const double*, double*, double*, double*,
        long, long, long, long, long, double, long)
    void group_norm_backward_f32(
        const float*, const float*, const float*, const float*, const float*,
        float*, float*, float*, long, long, long, long, long, long)
    void group_norm_backward_f64(
        const double*, const double*, const double*, const double*, const double*,
        double*, double*, double*, long, long, long, long, long, long)


def _forward(
    const floating[::1] x, const floating[::1] gamma, const floating[::1] beta, floating[::1] y,
    floating[::1] mean, floating[::1] inv_std,
    long start, long stop, long groups, long channels, long s, double eps, bint stream,
):
    with nogil:
        if floating is float:
            group_norm_forward_f32(
                &x[0], &gamma[0], &beta[0], &y[0], &mean[0], &inv_std[0],
                start, stop, groups, channels, s, eps, stream)
        else:
            group_norm_forward_f64(
                &x[0], &gamma[0], &beta[0], &y[0], &mean[0], &inv_std[0],
                start, stop, groups, channels, s, eps, stream)


def _backward(
    const floating[::1] dy, const floating[::1] x, const floating[::1] mean,
    const floating[::1] inv_std, const floating[::1] gamma, floating[::1] dx,
    floating[::1] dgamma, floating[::1] dbeta,
    long start, long stop, long groups, long channels, long s, bint stream,
):
    with nogil:
        if floating is float:
            group_norm_backward_f32(
                &dy[0], &x[0], &mean[0], &inv_std[0], &gamma[0], &dx[0], &dgamma[0], &dbeta[0],
                start, stop, groups, channels, s, stream)
        else:
            group_norm_backward_f64(
                &dy[0], &x[0], &mean[0], &inv_std[0], &gamma[0], &dx[0], &dgamma[0], &dbeta[0],
                start, stop, groups, channels, s, stream)


def _streams(result, arrays, channels, s):
    """Whether the result is written past the cache; a row has `channels` runs of s values."""
    run = (channels if s == 1 else s) * result.itemsize
    return arrays * result.nbytes >= LARGE and run >= LONG


def forward(x, gamma, beta, groups, eps):
    """y = gamma * x_hat + beta, group by group; see group_norm_numpy.forward."""
    n, c, s = x.shape
    y = np.empty_like(x)
    mean, inv_std = np.empty((n, groups), x.dtype), np.empty((n, groups), x.dtype)
    flat = [a.reshape(-1) for a in (x, gamma, beta, y, mean, inv_std)]
    sizes = groups, c // groups, s, eps, _streams(y, 2, c // groups, s)

    def work(start, stop):
        _forward(*flat, start, stop, *sizes)

    if x.size:
        parallel.run(work, n * groups, LEAST * groups // (c * s) + 1)
    return y, mean, inv_std


def backward(dy, x, mean, inv_std, gamma, groups):
    """dx, dgamma and dbeta; see group_norm_numpy.backward."""
    n, c, s = dy.shape
    dx = np.empty_like(dy)
    flat = [a.reshape(-1) for a in (dy, x, mean, inv_std, gamma, dx)]
    sizes = groups, c // groups, s, _streams(dx, 3, c // groups, s)

    def work(start, stop):
        sums = np.zeros((2, c), dy.dtype)
        _backward(*flat, *sums, start, stop, *sizes)
        return sums

    if not dy.size:
        return dx, np.zeros(c, dy.dtype), np.zeros(c, dy.dtype)
    dgamma, dbeta = sum(parallel.run(work, n * groups, LEAST * groups // (c * s) + 1))
    return dx, dgamma, dbeta
