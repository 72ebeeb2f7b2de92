# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""LSTM over a whole sequence in C; what is computed, and the shapes, stand in lstm_numpy.

Threads share the examples: each walks all steps with its own.
"""

import numpy as np

from cython cimport floating
from libc.stdint cimport int64_t

from minidl.kernels import parallel

# Multiplications that a thread should have, at least, for its start to pay.
LEAST = 4_000_000

cdef extern from "simd/recurrent_walk.h":
    ctypedef struct recurrent_walk:
        long steps, n, d, start, stop
        const int64_t *lengths
        int reverse, keep

cdef extern nogil:
    void lstm_width_f32(long, long*)
    void lstm_width_f64(long, long*)
    void lstm_pack_f32(const float*, int, long, long, float*)
    void lstm_pack_f64(const double*, int, long, long, double*)
    void lstm_forward_f32(
        const float*, const float*, const float*, const float*, float*, float*, float*, float*,
        const recurrent_walk*)
    void lstm_forward_f64(
        const double*, const double*, const double*, const double*, double*, double*, double*,
        double*, const recurrent_walk*)
    void lstm_backward_f32(
        const float*, const float*, const float*, const float*, const float*, float*, float*,
        float*, float*, const recurrent_walk*)
    void lstm_backward_f64(
        const double*, const double*, const double*, const double*, const double*, double*,
        double*, double*, double*, const recurrent_walk*)


def _width(long columns, bint single):
    """How many numbers a row of so many sums takes."""
    cdef long width
    if single:
        lstm_width_f32(columns, &width)
    else:
        lstm_width_f64(columns, &width)
    return width


def _pack(const floating[::1] weight, bint turned, long depth, long columns, floating[::1] packed):
    with nogil:
        if floating is float:
            lstm_pack_f32(&weight[0], turned, depth, columns, &packed[0])
        else:
            lstm_pack_f64(&weight[0], turned, depth, columns, &packed[0])


def _packed(weight, bint turned, long depth, long columns):
    """The weights as the products of all steps read them."""
    packed = np.empty(depth * _width(columns, weight.itemsize == 4), weight.dtype)
    _pack(weight.reshape(-1), turned, depth, columns, packed)
    return packed


def _forward(
    const floating[::1] projected, const floating[::1] bias, const floating[::1] packed,
    const floating[::1] drop, floating[::1] states, floating[::1] cells, floating[::1] gates,
    floating[::1] sums, const int64_t[::1] lengths,
    long steps, long d, bint reverse, bint keep, long start, long stop,
):
    cdef recurrent_walk walk = recurrent_walk(
        steps, lengths.shape[0], d, start, stop, &lengths[0], reverse, keep)
    cdef const floating *factors = NULL if drop is None else &drop[0]
    cdef floating *kept = &gates[0] if keep else NULL
    with nogil:
        if floating is float:
            lstm_forward_f32(
                &projected[0], &bias[0], &packed[0], factors, &states[0], &cells[0], kept,
                &sums[0], &walk)
        else:
            lstm_forward_f64(
                &projected[0], &bias[0], &packed[0], factors, &states[0], &cells[0], kept,
                &sums[0], &walk)


def _backward(
    const floating[::1] dstates, const floating[::1] cells, const floating[::1] gates,
    const floating[::1] packed, const floating[::1] drop, floating[::1] dprojected,
    floating[::1] dh, floating[::1] dc, floating[::1] resting, const int64_t[::1] lengths,
    long steps, long d, bint reverse, long start, long stop,
):
    cdef recurrent_walk walk = recurrent_walk(
        steps, lengths.shape[0], d, start, stop, &lengths[0], reverse, True)
    cdef const floating *factors = NULL if drop is None else &drop[0]
    with nogil:
        if floating is float:
            lstm_backward_f32(
                &dstates[0], &cells[0], &gates[0], &packed[0], factors, &dprojected[0], &dh[0],
                &dc[0], &resting[0], &walk)
        else:
            lstm_backward_f64(
                &dstates[0], &cells[0], &gates[0], &packed[0], factors, &dprojected[0], &dh[0],
                &dc[0], &resting[0], &walk)


def forward(projected, bias, weight_hh, h0, c0, drop, lengths, reverse, keep):
    """c' = f c + i drop g,  h' = o tanh(c'), step by step; see lstm_numpy.forward."""
    steps, (n, d), dtype = len(projected), h0.shape, projected.dtype
    states = np.empty((steps + 2, n, d), dtype)
    cells = np.empty((steps + 1 if keep else 1, n, d), dtype)
    gates = np.empty((steps if keep else 0, n, 4 * d), dtype)
    first = steps if reverse else 0
    states[first], cells[first if keep else 0] = h0, c0
    if n:
        width, packed = _width(4 * d, dtype.itemsize == 4), _packed(weight_hh, True, d, 4 * d)
        flat = [None if a is None else a.reshape(-1) for a in (
            projected, bias, packed, drop, states, cells, gates)]

        def work(start, stop):
            sums = np.empty((stop - start) * width, dtype)
            _forward(*flat, sums, lengths, steps, d, reverse, keep, start, stop)

        parallel.run(work, n, LEAST // (4 * d * d * steps) + 1)
    return states, cells if keep else cells[:0], gates


def backward(dstates, cells, gates, weight_hh, drop, lengths, reverse):
    """The gradients of projected, h0 and c0; see lstm_numpy.backward."""
    steps, (n, d), dtype = len(gates), cells.shape[1:], gates.dtype
    dprojected, dc = np.empty_like(gates), dstates[steps + 1].copy()
    dh0 = dstates[steps if reverse else 0].copy()
    if n:
        width, packed = _width(d, dtype.itemsize == 4), _packed(weight_hh, False, 4 * d, d)
        flat = [None if a is None else a.reshape(-1) for a in (
            dstates, cells, gates, packed, drop, dprojected)]

        def work(start, stop):
            dh = np.zeros((stop - start, width), dtype)
            resting = np.empty((stop - start) * d, dtype)
            _backward(
                *flat, dh.reshape(-1), dc.reshape(-1), resting, lengths, steps, d, reverse, start,
                stop)
            dh0[start:stop] += dh[:, :d]

        parallel.run(work, n, LEAST // (4 * d * d * steps) + 1)
    return dprojected, dh0, dc
