# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""LSTM over a whole sequence in C, plain and layer-normalized.

What is computed, and the shapes, stand in lstm_numpy. Threads share the examples: each walks all
steps with its own.
"""

import numpy as np

from cython cimport floating
from libc.stdint cimport int64_t

from minidl.kernels import linear_cython, parallel

# Multiplications that a thread should have, at least, for its start to pay.
LEAST = 2_000_000

cdef extern from "simd/recurrent_walk.h":
    ctypedef struct recurrent_walk:
        long steps, n, d, start, stop
        const int64_t *lengths
        int reverse, keep

cdef extern nogil:
    void recurrent_width_f32(long, long*)
    void recurrent_width_f64(long, long*)
    void recurrent_pack_f32(const float*, int, long, long, float*)
    void recurrent_pack_f64(const double*, int, long, long, double*)
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
    void layer_norm_lstm_forward_f32(
        const float*, const float*, const float*, const float*, const float*, const float*, float*,
        float*, float*, float*, float*, float*, double, int, const recurrent_walk*)
    void layer_norm_lstm_forward_f64(
        const double*, const double*, const double*, const double*, const double*, const double*,
        double*, double*, double*, double*, double*, double*, double, int, const recurrent_walk*)
    void layer_norm_lstm_backward_f32(
        const float*, const float*, const float*, const float*, const float*, const float*,
        const float*, const float*, float*, float*, float*, float*, float*, float*, int,
        const recurrent_walk*)
    void layer_norm_lstm_backward_f64(
        const double*, const double*, const double*, const double*, const double*, const double*,
        const double*, const double*, double*, double*, double*, double*, double*, double*, int,
        const recurrent_walk*)

ACTIVATIONS = ("tanh", "relu", "sigmoid")


def _width(long columns, bint single):
    """How many numbers a row of so many sums takes."""
    cdef long width
    if single:
        recurrent_width_f32(columns, &width)
    else:
        recurrent_width_f64(columns, &width)
    return width


def _pack(const floating[::1] weight, bint turned, long depth, long columns, floating[::1] packed):
    with nogil:
        if floating is float:
            recurrent_pack_f32(&weight[0], turned, depth, columns, &packed[0])
        else:
            recurrent_pack_f64(&weight[0], turned, depth, columns, &packed[0])


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
    gates = np.empty((len(projected) if keep else 0, *projected.shape[1:]), projected.dtype)
    return _walk(projected, bias, weight_hh, h0, c0, drop, lengths, reverse, keep, gates)


def fused_forward(x, weight_ih, bias, weight_hh, h0, c0, drop, lengths, reverse, keep):
    """The same from x and its weights, gates in the place of their product."""
    steps, n, inputs = x.shape
    product = linear_cython.forward(x.reshape(steps * n, inputs), weight_ih, None, False)
    gates = product.reshape(steps, n, len(weight_ih))
    return _walk(gates, bias, weight_hh, h0, c0, drop, lengths, reverse, keep, gates)


def _walk(projected, bias, weight_hh, h0, c0, drop, lengths, reverse, keep, gates):
    steps, (n, d), dtype = len(projected), h0.shape, projected.dtype
    states = np.empty((steps + 2, n, d), dtype)
    cells = np.empty((steps + 1 if keep else 1, n, d), dtype)
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
    return states, cells if keep else cells[:0], gates if keep else gates[:0]


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


def _layer_norm_forward(
    const floating[::1] projected, const floating[::1] bias, const floating[::1] packed,
    const floating[::1] gain, const floating[::1] shift, const floating[::1] drop,
    floating[::1] states, floating[::1] cells, floating[::1] gates, floating[::1] hats,
    floating[::1] inv_std, floating[::1] room, const int64_t[::1] lengths,
    long steps, long d, double forget_bias, int act, bint keep, long start, long stop,
):
    cdef recurrent_walk walk = recurrent_walk(
        steps, lengths.shape[0], d, start, stop, &lengths[0], False, keep)
    cdef const floating *factors = NULL if drop is None else &drop[0]
    cdef const floating *scale = NULL if gain is None else &gain[0]
    cdef const floating *moved = NULL if shift is None else &shift[0]
    cdef floating *kept = &gates[0] if keep else NULL
    cdef floating *hat = &hats[0] if keep else NULL
    cdef floating *inv = &inv_std[0] if keep else NULL
    with nogil:
        if floating is float:
            layer_norm_lstm_forward_f32(
                &projected[0], &bias[0], &packed[0], scale, moved, factors, &states[0], &cells[0],
                kept, hat, inv, &room[0], forget_bias, act, &walk)
        else:
            layer_norm_lstm_forward_f64(
                &projected[0], &bias[0], &packed[0], scale, moved, factors, &states[0], &cells[0],
                kept, hat, inv, &room[0], forget_bias, act, &walk)


def _layer_norm_backward(
    const floating[::1] dstates, const floating[::1] cells, const floating[::1] gates,
    const floating[::1] hats, const floating[::1] inv_std, const floating[::1] packed,
    const floating[::1] gain, const floating[::1] drop, floating[::1] dprojected,
    floating[::1] dgain, floating[::1] dshift, floating[::1] dh, floating[::1] dc,
    floating[::1] resting, const int64_t[::1] lengths,
    long steps, long d, int act, long start, long stop,
):
    cdef recurrent_walk walk = recurrent_walk(
        steps, lengths.shape[0], d, start, stop, &lengths[0], False, True)
    cdef const floating *factors = NULL if drop is None else &drop[0]
    cdef const floating *scale = NULL if gain is None else &gain[0]
    with nogil:
        if floating is float:
            layer_norm_lstm_backward_f32(
                &dstates[0], &cells[0], &gates[0], &hats[0], &inv_std[0], &packed[0], scale,
                factors, &dprojected[0], &dgain[0], &dshift[0], &dh[0], &dc[0], &resting[0], act,
                &walk)
        else:
            layer_norm_lstm_backward_f64(
                &dstates[0], &cells[0], &gates[0], &hats[0], &inv_std[0], &packed[0], scale,
                factors, &dprojected[0], &dgain[0], &dshift[0], &dh[0], &dc[0], &resting[0], act,
                &walk)


def layer_norm_forward(
    projected, bias, weight_hh, gain, shift, h0, c0, drop, lengths, forget_bias, activation, keep
):
    """c' = LN(f c + i drop g),  h' = act(c') o; see lstm_numpy.layer_norm_forward."""
    steps, (n, d), dtype = len(projected), h0.shape, projected.dtype
    stored = steps if keep else 0
    states = np.empty((steps + 2, n, d), dtype)
    cells = np.empty((stored + 1, n, d), dtype)
    gates, hats = np.empty((stored, n, 5, d), dtype), np.empty((stored, n, 5, d), dtype)
    inv_std = np.empty((stored, n, 5), dtype)
    states[0], cells[0] = h0, c0
    if n:
        width, packed = _width(4 * d, dtype.itemsize == 4), _packed(weight_hh, True, d, 4 * d)
        flat = [None if a is None else a.reshape(-1) for a in (
            projected, bias, packed, gain, shift, drop, states, cells, gates, hats, inv_std)]
        act = ACTIVATIONS.index(activation)

        def work(start, stop):
            room = np.empty((stop - start) * width + 10 * d + 5, dtype)
            _layer_norm_forward(
                *flat, room, lengths, steps, d, forget_bias, act, keep, start, stop)

        parallel.run(work, n, LEAST // (4 * d * d * steps) + 1)
    return states, cells if keep else cells[:0], gates, hats, inv_std


def layer_norm_backward(
    dstates, cells, gates, hats, inv_std, weight_hh, gain, drop, lengths, activation
):
    """The gradients of projected, gain, shift, h0, c0; see lstm_numpy.layer_norm_backward."""
    steps, (n, d), dtype = len(gates), cells.shape[1:], gates.dtype
    dprojected, dc = np.empty((steps, n, 4 * d), dtype), dstates[steps + 1].copy()
    dh0, sums = dstates[0].copy(), np.zeros((2, 5, d), dtype)
    if n:
        width, packed = _width(d, dtype.itemsize == 4), _packed(weight_hh, False, 4 * d, d)
        flat = [None if a is None else a.reshape(-1) for a in (
            dstates, cells, gates, hats, inv_std, packed, gain, drop, dprojected)]
        act = ACTIVATIONS.index(activation)

        def work(start, stop):
            own, dh = np.zeros((2, 5 * d), dtype), np.zeros((stop - start, width), dtype)
            resting = np.empty((stop - start) * d, dtype)
            _layer_norm_backward(
                *flat, *own, dh.reshape(-1), dc.reshape(-1), resting, lengths, steps, d, act,
                start, stop)
            dh0[start:stop] += dh[:, :d]
            return own.reshape(2, 5, d)

        for part in parallel.run(work, n, LEAST // (4 * d * d * steps) + 1):
            sums += part
    return dprojected, sums[0].copy(), sums[1].copy(), dh0, dc
