# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""GRU over a whole sequence in C; what is computed, and the shapes, stand in gru_numpy.

Threads share the examples: each walks all steps with its own. The weights are packed as for LSTM.
"""

import numpy as np

from cython cimport floating
from libc.stdint cimport int64_t

from minidl.kernels import parallel
from minidl.kernels.lstm_cython import _packed, _width

# Multiplications that a thread should have, at least, for its start to pay.
LEAST = 2_000_000

cdef extern from "simd/recurrent_walk.h":
    ctypedef struct recurrent_walk:
        long steps, n, d, start, stop
        const int64_t *lengths
        int reverse, keep

cdef extern nogil:
    void gru_forward_f32(
        const float*, const float*, const float*, const float*, const float*, float*, float*,
        float*, const recurrent_walk*)
    void gru_forward_f64(
        const double*, const double*, const double*, const double*, const double*, double*,
        double*, double*, const recurrent_walk*)
    void gru_backward_f32(
        const float*, const float*, const float*, const float*, const float*, float*, float*,
        float*, float*, const recurrent_walk*)
    void gru_backward_f64(
        const double*, const double*, const double*, const double*, const double*, double*,
        double*, double*, double*, const recurrent_walk*)


def _forward(
    const floating[::1] projected, const floating[::1] bias_ih, const floating[::1] packed,
    const floating[::1] bias_hh, const floating[::1] drop, floating[::1] states,
    floating[::1] gates, floating[::1] room, const int64_t[::1] lengths,
    long steps, long d, bint reverse, bint keep, long start, long stop,
):
    cdef recurrent_walk walk = recurrent_walk(
        steps, lengths.shape[0], d, start, stop, &lengths[0], reverse, keep)
    cdef const floating *factors = NULL if drop is None else &drop[0]
    cdef floating *kept = &gates[0] if keep else NULL
    with nogil:
        if floating is float:
            gru_forward_f32(
                &projected[0], &bias_ih[0], &packed[0], &bias_hh[0], factors, &states[0], kept,
                &room[0], &walk)
        else:
            gru_forward_f64(
                &projected[0], &bias_ih[0], &packed[0], &bias_hh[0], factors, &states[0], kept,
                &room[0], &walk)


def _backward(
    const floating[::1] dstates, const floating[::1] states, const floating[::1] gates,
    const floating[::1] packed, const floating[::1] drop, floating[::1] dprojected,
    floating[::1] dhidden, floating[::1] dh, floating[::1] past, const int64_t[::1] lengths,
    long steps, long d, bint reverse, long start, long stop,
):
    cdef recurrent_walk walk = recurrent_walk(
        steps, lengths.shape[0], d, start, stop, &lengths[0], reverse, True)
    cdef const floating *factors = NULL if drop is None else &drop[0]
    with nogil:
        if floating is float:
            gru_backward_f32(
                &dstates[0], &states[0], &gates[0], &packed[0], factors, &dprojected[0],
                &dhidden[0], &dh[0], &past[0], &walk)
        else:
            gru_backward_f64(
                &dstates[0], &states[0], &gates[0], &packed[0], factors, &dprojected[0],
                &dhidden[0], &dh[0], &past[0], &walk)


def forward(projected, bias_ih, weight_hh, bias_hh, h0, drop, lengths, reverse, keep):
    """h' = (1 - z) drop n + z h,  n = tanh(x_n + r h_n), step by step; see gru_numpy.forward."""
    steps, (n, d), dtype = len(projected), h0.shape, projected.dtype
    states = np.empty((steps + 1, n, d), dtype)
    gates = np.empty((steps if keep else 0, n, 4 * d), dtype)
    states[steps if reverse else 0] = h0
    if n:
        width, packed = _width(3 * d, dtype.itemsize == 4), _packed(weight_hh, True, d, 3 * d)
        flat = [None if a is None else a.reshape(-1) for a in (
            projected, bias_ih, packed, bias_hh, drop, states, gates)]

        def work(start, stop):
            room = np.empty((stop - start) * width + 4 * d, dtype)
            _forward(*flat, room, lengths, steps, d, reverse, keep, start, stop)

        parallel.run(work, n, LEAST // (3 * d * d * steps) + 1)
    return states, gates


def backward(dstates, states, gates, weight_hh, drop, lengths, reverse):
    """The gradients of both sums and of h0; see gru_numpy.backward."""
    steps, (n, d), dtype = len(gates), states.shape[1:], gates.dtype
    dprojected, dhidden = (np.empty((steps, n, 3 * d), dtype) for _ in range(2))
    dh0 = dstates[steps if reverse else 0].copy()
    if n:
        width, packed = _width(d, dtype.itemsize == 4), _packed(weight_hh, False, 3 * d, d)
        flat = [None if a is None else a.reshape(-1) for a in (
            dstates, states, gates, packed, drop, dprojected, dhidden)]

        def work(start, stop):
            dh, past = np.zeros((stop - start, width), dtype), np.empty((stop - start) * d, dtype)
            _backward(*flat, dh.reshape(-1), past, lengths, steps, d, reverse, start, stop)
            dh0[start:stop] += dh[:, :d]

        parallel.run(work, n, LEAST // (3 * d * d * steps) + 1)
    return dprojected, dhidden, dh0
