"""Batch normalization in Numba: channel by channel, exact variance in two passes.

x is seen as n rows of c * s columns. A strip of columns holds one channel, or several where they
are short, and is swept row by row: the inner loops are long, run over contiguous values and keep
one partial sum for each column, so they become vector code without reordering any sum.
"""

import numpy as np
from numba import njit

STRIP = 64


@njit(cache=True)
def _add_rows(x, start, total):
    """total[j] = sum over the rows of x[i, start + j]."""
    for j in range(total.size):
        total[j] = 0
    for i in range(x.shape[0]):
        row = x[i, start : start + total.size]
        for j in range(total.size):
            total[j] += row[j]


@njit(cache=True)
def _add_products(x, y, start, total):
    """total[j] = sum over the rows of x[i, start + j] * y[i, start + j]."""
    for j in range(total.size):
        total[j] = 0
    for i in range(x.shape[0]):
        row, other = x[i, start : start + total.size], y[i, start : start + total.size]
        for j in range(total.size):
            total[j] += row[j] * other[j]


@njit(cache=True)
def _add_squares(x, centre, start, total):
    """total[j] = sum over the rows of (x[i, start + j] - centre[j])^2."""
    for j in range(total.size):
        total[j] = 0
    for i in range(x.shape[0]):
        row = x[i, start : start + total.size]
        for j in range(total.size):
            difference = row[j] - centre[j]
            total[j] += difference * difference


@njit(cache=True)
def _channel_sums(total, s, divisor, sums):
    """sums[ch] = the sum of a channel's s columns, over divisor."""
    for ch in range(sums.size):
        part = np.float64(0)
        for j in range(ch * s, (ch + 1) * s):
            part += total[j]
        sums[ch] = part / divisor


@njit(cache=True)
def _spread(values, s, columns):
    """columns[j] = the value of the channel that column j belongs to."""
    for ch in range(values.size):
        for j in range(ch * s, (ch + 1) * s):
            columns[j] = values[ch]


@njit(cache=True)
def _normalize(x, centre, factor, start, x_hat):
    """x_hat = (x - centre) * factor in the strip."""
    for i in range(x.shape[0]):
        row, target = x[i, start : start + centre.size], x_hat[i, start : start + centre.size]
        for j in range(centre.size):
            target[j] = (row[j] - centre[j]) * factor[j]


@njit(cache=True)
def _affine(x, factor, shift, start, y):
    """y = factor * x + shift in the strip."""
    for i in range(x.shape[0]):
        row, target = x[i, start : start + factor.size], y[i, start : start + factor.size]
        for j in range(factor.size):
            target[j] = factor[j] * row[j] + shift[j]


@njit(cache=True)
def _forward(x, gamma, beta, eps, y, x_hat, inv_std, mean, var):
    n, c, s = x.shape[0], gamma.size, x.shape[1] // gamma.size
    m = max(n * s, 1)
    step = max(STRIP // s, 1)
    for strip in range((c + step - 1) // step):
        first = strip * step
        last = min(first + step, c)
        start, width = first * s, (last - first) * s
        total, centre = np.empty(width, x.dtype), np.empty(width, x.dtype)
        factor, shift = np.empty(width, x.dtype), np.empty(width, x.dtype)
        _add_rows(x, start, total)
        _channel_sums(total, s, m, mean[first:last])
        _spread(mean[first:last], s, centre)
        _add_squares(x, centre, start, total)
        _channel_sums(total, s, m, var[first:last])
        for ch in range(first, last):
            inv_std[ch] = 1 / np.sqrt(var[ch] + eps)
        _spread(inv_std[first:last], s, factor)
        _normalize(x, centre, factor, start, x_hat)
        _spread(gamma[first:last], s, factor)
        _spread(beta[first:last], s, shift)
        _affine(x_hat, factor, shift, start, y)


@njit(cache=True)
def _backward(dy, x_hat, inv_std, gamma, dx, dgamma, dbeta):
    n, c, s = dy.shape[0], gamma.size, dy.shape[1] // gamma.size
    m = dy.dtype.type(max(n * s, 1))
    step = max(STRIP // s, 1)
    for strip in range((c + step - 1) // step):
        first = strip * step
        last = min(first + step, c)
        start, width = first * s, (last - first) * s
        dy_sum, proj = np.empty(width, dy.dtype), np.empty(width, dy.dtype)
        factor = np.empty(width, dy.dtype)
        _add_rows(dy, start, dy_sum)
        _channel_sums(dy_sum, s, 1, dbeta[first:last])
        _spread(dbeta[first:last], s, dy_sum)
        _add_products(dy, x_hat, start, proj)
        _channel_sums(proj, s, 1, dgamma[first:last])
        _spread(dgamma[first:last], s, proj)
        for ch in range(first, last):
            for j in range((ch - first) * s, (ch - first + 1) * s):
                factor[j] = gamma[ch] * inv_std[ch] / m
        for i in range(n):
            row, hat = dy[i, start : start + width], x_hat[i, start : start + width]
            target = dx[i, start : start + width]
            for j in range(width):
                target[j] = factor[j] * (m * row[j] - dy_sum[j] - hat[j] * proj[j])


@njit(cache=True)
def _inference(x, gamma, beta, mean, inv_std, y):
    c, s = gamma.size, x.shape[1] // gamma.size
    step = max(STRIP // s, 1)
    for strip in range((c + step - 1) // step):
        first = strip * step
        last = min(first + step, c)
        start, width = first * s, (last - first) * s
        centre, factor = np.empty(width, x.dtype), np.empty(width, x.dtype)
        scale, shift = np.empty(width, x.dtype), np.empty(width, x.dtype)
        _spread(mean[first:last], s, centre)
        _spread(inv_std[first:last], s, factor)
        _spread(gamma[first:last], s, scale)
        _spread(beta[first:last], s, shift)
        _normalize(x, centre, factor, start, y)
        _affine(y, scale, shift, start, y)


@njit(cache=True)
def _add_and_cut(y, residual, relu):
    """y = relu(y + residual) in place; an empty residual is none."""
    flat, added = y.reshape(-1), residual.reshape(-1)
    for j in range(added.size):
        flat[j] += added[j]
    if relu:
        for j in range(flat.size):
            flat[j] = 0 if flat[j] <= 0 else flat[j]


@njit(cache=True)
def _mask(dy, y, g):
    """g = dy where not y <= 0; an empty y is none."""
    source, result, target = dy.reshape(-1), y.reshape(-1), g.reshape(-1)
    for j in range(source.size):
        target[j] = source[j]
    for j in range(result.size):
        if result[j] <= 0:
            target[j] = 0


@njit(cache=True)
def _mask_again(dy, x_hat, gamma, beta, g):
    """g = dy where not gamma * x_hat + beta <= 0."""
    for i in range(dy.shape[0]):
        for ch in range(dy.shape[1]):
            source, row, target = dy[i, ch], x_hat[i, ch], g[i, ch]
            for j in range(row.size):
                target[j] = 0 if gamma[ch] * row[j] + beta[ch] <= 0 else source[j]


def _pass(dy, x_hat, y, gamma, beta):
    """dy where the relu held nothing back; see batch_norm_numpy._passed."""
    g = np.empty_like(dy)
    if y is None or beta is None:
        _mask(dy, dy[:0] if y is None else y, g)
    else:
        _mask_again(dy, x_hat, gamma, beta, g)
    return g


@njit(cache=True)
def _inference_backward(g, x_hat, factor, dx, dgamma, dbeta):
    """dx = factor * g, and the sums of g * x_hat and of g."""
    for ch in range(factor.size):
        proj, total = np.float64(0), np.float64(0)
        for i in range(g.shape[0]):
            row, hat, target = g[i, ch], x_hat[i, ch], dx[i, ch]
            for j in range(row.size):
                target[j] = factor[ch] * row[j]
                proj += row[j] * hat[j]
                total += row[j]
        dgamma[ch], dbeta[ch] = proj, total


@njit(cache=True)
def _standardize(x, mean, inv_std, x_hat):
    """x_hat = (x - mean) * inv_std."""
    for i in range(x.shape[0]):
        for ch in range(x.shape[1]):
            row, target = x[i, ch], x_hat[i, ch]
            for j in range(row.size):
                target[j] = (row[j] - mean[ch]) * inv_std[ch]


def forward(x, gamma, beta, eps):
    """y, x_hat, inv_std, mean, var of a batch; see batch_norm_numpy.forward."""
    n, c, s = x.shape
    y, x_hat = np.empty_like(x), np.empty_like(x)
    inv_std, mean, var = (np.empty(c, x.dtype) for _ in range(3))
    rows = n, c * s
    arrays = y.reshape(rows), x_hat.reshape(rows), inv_std, mean, var
    _forward(x.reshape(rows), gamma, beta, eps, *arrays)
    return y, x_hat, inv_std, mean, var


def backward(dy, x_hat, inv_std, gamma):
    """dx, dgamma, dbeta; see batch_norm_numpy.backward."""
    n, c, s = dy.shape
    rows = n, c * s
    dx, dgamma, dbeta = np.empty_like(dy), np.empty(c, dy.dtype), np.empty(c, dy.dtype)
    _backward(
        dy.reshape(rows), x_hat.reshape(rows), inv_std, gamma, dx.reshape(rows), dgamma, dbeta
    )
    return dx, dgamma, dbeta


def fused_forward(x, gamma, beta, residual, eps, relu):
    """y, inv_std, mean, var; see batch_norm_numpy.fused_forward."""
    n, c, s = x.shape
    y = np.empty_like(x)
    inv_std, mean, var = (np.empty(c, x.dtype) for _ in range(3))
    rows = y.reshape(n, c * s)
    _forward(x.reshape(n, c * s), gamma, beta, eps, rows, rows, inv_std, mean, var)
    _add_and_cut(y, x[:0] if residual is None else residual, relu)
    return y, inv_std, mean, var


def fused_backward(dy, x, y, mean, inv_std, gamma, beta, add, out=None):
    """dx, dgamma, dbeta, dresidual; see batch_norm_numpy.fused_backward."""
    x_hat = np.empty_like(x)
    _standardize(x, mean, inv_std, x_hat)
    g = _pass(dy, x_hat, y, gamma, beta)
    dx, dgamma, dbeta = backward(g, x_hat, inv_std, gamma)
    result = g if add else dx
    if out is not None:
        out[...] = result
        result = out
    nothing = np.empty((0, *dy.shape[1:]), dy.dtype)
    return (dx, dgamma, dbeta, result) if add else (result, dgamma, dbeta, nothing)


def inference(x, gamma, beta, mean, var, eps):
    """y with given statistics; see batch_norm_numpy.inference."""
    n, c, s = x.shape
    rows = n, c * s
    y = np.empty_like(x)
    inv_std = 1 / np.sqrt(var + x.dtype.type(eps))
    _inference(x.reshape(rows), gamma, beta, mean, inv_std, y.reshape(rows))
    return y


def fused_inference(x, gamma, beta, mean, var, residual, eps, relu):
    """y with given statistics, added to and cut; see batch_norm_numpy.fused_inference."""
    y = inference(x, gamma, beta, mean, var, eps)
    _add_and_cut(y, x[:0] if residual is None else residual, relu)
    return y


def inference_backward(dy, x, y, mean, inv_std, gamma, beta, add):
    """dx, dgamma, dbeta, dresidual; see batch_norm_numpy.inference_backward."""
    x_hat, dx = np.empty_like(x), np.empty_like(dy)
    dgamma, dbeta = np.empty_like(gamma), np.empty_like(gamma)
    _standardize(x, mean, inv_std, x_hat)
    g = _pass(dy, x_hat, y, gamma, beta)
    _inference_backward(g, x_hat, gamma * inv_std, dx, dgamma, dbeta)
    return dx, dgamma, dbeta, g if add else np.empty((0, *dy.shape[1:]), dy.dtype)
