"""What each NumPy specification must do, told independently of it.

`ORACLES[family]` is a list of functions that take a kernel module and raise AssertionError where it
is wrong: values against plain loops or SciPy, gradients against central differences over all
inputs with a random upstream gradient, in float64. They take the module as an argument so that
test_mutations can hand them broken ones.
"""

import itertools
from functools import cache

import activation_oracles
import kernel_cases
import numpy as np
import optimizer_oracles
import pytest
import recurrent_oracles
import scipy.signal
import scipy.special
import upsample_oracles


def close(got, want, tolerance=1e-10):
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def slope(function, arguments, which, dy, step=1e-6):
    """Gradient of sum(dy * y) by one argument, by central differences; y is the first result.

    A large step is as good, and closer, where y is linear in that argument.
    """
    gradient = np.empty_like(arguments[which])
    for place in np.ndindex(gradient.shape):
        sides = []
        for change in (step, -step):
            moved = arguments[which].copy()
            moved[place] += change
            result = function(*arguments[:which], moved, *arguments[which + 1 :])
            sides.append(result[0] if isinstance(result, tuple) else result)
        gradient[place] = np.sum(dy * (sides[0] - sides[1])) / (2 * step)
    return gradient


def drawn(seed, *shapes):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def batch_norm_forward(module):
    for n, c, s in [(3, 2, 5), (1, 2, 1), (4, 3, 1)]:
        x, gamma, beta = drawn(1, (n, c, s), c, c)
        y, x_hat, inv_std, mean, var = module.forward(x, gamma, beta, 0.1)
        for channel in range(c):
            values = x[:, channel]
            close(mean[channel], np.mean(values))
            close(var[channel], np.var(values))
            close(inv_std[channel], (np.var(values) + 0.1) ** -0.5)
            close(x_hat[:, channel], (values - np.mean(values)) / np.sqrt(np.var(values) + 0.1))
            close(y[:, channel], gamma[channel] * x_hat[:, channel] + beta[channel])
    y, x_hat, inv_std, mean, var = module.forward(np.zeros((0, 2, 3)), gamma[:2], beta[:2], 0.25)
    assert y.shape == x_hat.shape == (0, 2, 3)
    close([inv_std, mean, var], [[2, 2], [0, 0], [0, 0]])
    x = (drawn(2, (8, 2, 50))[0] + 1000).astype(np.float32)
    var = module.forward(x, *np.ones((2, 2), np.float32), 1e-5)[4]
    close(var, x.astype(np.float64).var(axis=(0, 2)), 1e-5)


def batch_norm_backward(module):
    for n, c, s in [(3, 2, 4), (1, 2, 1), (5, 1, 1)]:
        x, gamma, beta, dy = drawn(3, (n, c, s), c, c, (n, c, s))
        arguments = x, gamma, beta, 0.1
        _, x_hat, inv_std, _, _ = module.forward(*arguments)
        dx, dgamma, dbeta = module.backward(dy, x_hat, inv_std, gamma)
        for which, found in enumerate((dx, dgamma, dbeta)):
            close(found, slope(module.forward, arguments, which, dy), 1e-7)
    dx, dgamma, dbeta = module.backward(np.zeros((0, 2, 3)), np.zeros((0, 2, 3)), gamma, gamma)
    assert dx.shape == (0, 2, 3)
    close(dgamma, dbeta)


def batch_norm_fused(module):
    """Forward by parts, the gradient of every argument by differences of the whole."""
    for residual, relu in itertools.product((False, True), repeat=2):
        x, gamma, beta, added, dy = drawn(7, (4, 2, 3), 2, 2, (4, 2, 3), (4, 2, 3))
        arguments = x, gamma, beta, added if residual else None, 0.1, relu
        y, inv_std, mean, var = module.fused_forward(*arguments)
        plain, _, *statistics = module.forward(x, gamma, beta, 0.1)
        plain = plain + added if residual else plain
        close(y, np.maximum(plain, 0) if relu else plain)
        for found, wanted in zip((inv_std, mean, var), statistics, strict=True):
            close(found, wanted)
        kept = y if relu else None
        *gradients, dresidual = module.fused_backward(
            dy, x, kept, mean, inv_std, gamma, None if residual else beta, residual
        )
        for which, found in enumerate([*gradients, dresidual] if residual else gradients):
            close(found, slope(module.fused_forward, arguments, which, dy), 1e-7)
        assert residual or dresidual.shape == (0, 2, 3)
    x[0, 0, 0] = np.nan
    y = module.fused_forward(x, gamma, beta, None, 0.1, True)[0]
    np.testing.assert_array_equal(np.isnan(y), np.broadcast_to([[True], [False]], y.shape))


def batch_norm_given_statistics(module):
    x, gamma, beta, mean, var = drawn(4, (4, 3, 2), 3, 3, 3, 3)
    var = var**2 + 0.5
    y = module.inference(x, gamma, beta, mean, var, 0.1)
    for n, c, s in np.ndindex(x.shape):
        close(y[n, c, s], gamma[c] * (x[n, c, s] - mean[c]) * (var[c] + 0.1) ** -0.5 + beta[c])
    added = x[::-1].copy()
    for residual, relu in itertools.product((None, added), (False, True)):
        found = module.fused_inference(x, gamma, beta, mean, var, residual, 0.1, relu)
        whole = y if residual is None else y + added
        close(found, np.maximum(whole, 0) if relu else whole)
        inv_std, dy = (var + 0.1) ** -0.5, drawn(8, x.shape)[0]
        kept, add = found if relu else None, residual is not None
        gradients = module.inference_backward(
            dy, x, kept, mean, inv_std, gamma, None if add else beta, add
        )
        arguments = x, gamma, beta, mean, var, residual, 0.1, relu
        for which, gradient in zip((0, 1, 2, 5), gradients, strict=True):
            if which < 5 or add:
                close(gradient, slope(module.fused_inference, arguments, which, dy), 1e-7)
            else:
                assert gradient.shape == (0, *x.shape[1:])
    scale, shift = module.fold(gamma, beta, mean, var, 0.1)
    close(scale[:, None] * x + shift[:, None], y)
    weight, bias, v = drawn(5, (3, 5), 3, (7, 5))
    folded, offset = module.fold_into_linear(weight, bias, gamma, beta, mean, var, 0.1)
    close(v @ folded.T + offset, scale * (v @ weight.T + bias) + shift)


def batch_norm_statistics_over_batches(module):
    old_mean, old_var, mean, var = np.abs(drawn(6, 3, 3, 3, 3))
    new_mean, new_var = module.update_running(old_mean, old_var, mean, var, 5, 0.3)
    close(new_mean, 0.7 * old_mean + 0.3 * mean)
    close(new_var, 0.7 * old_var + 0.3 * 5 / 4 * var)
    # All batches of m independent draws from three values: the estimate's expectation, exactly.
    values = np.array([[0.0, 3.0], [1.0, -2.0], [5.0, 4.0]])
    for m in (2, 3):
        batches = np.array(list(itertools.product(values, repeat=m)))
        mean, var = module.population(batches.mean(axis=1), batches.var(axis=1), m)
        close(mean, values.mean(axis=0))
        close(var, values.var(axis=0))


def conv2d_forward(module):
    for case in kernel_cases.CONVOLUTIONS:
        rng = np.random.default_rng(7)
        (_, (x, weight, bias, *options)), *_ = kernel_cases.convolution(rng, np.float64, *case)
        (sh, sw), (ph, pw), (dh, dw), groups = options
        o, each, kh, kw = weight.shape
        padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
        y = module.forward(x, weight, bias, *options)
        without_bias = module.forward(x, weight, None, *options)
        want = np.zeros_like(y)
        for n, a, channel in np.ndindex(*y.shape[:2], each):
            dilated = np.zeros((dh * (kh - 1) + 1, dw * (kw - 1) + 1))
            dilated[::dh, ::dw] = weight[a, channel]
            plane = padded[n, a // (o // groups) * each + channel]
            want[n, a] += scipy.signal.correlate2d(plane, dilated, "valid")[::sh, ::sw]
        close(without_bias, want)
        close(y, want + bias[:, None, None])


def conv2d_backward(module):
    for case in kernel_cases.CONVOLUTIONS:
        if case[0] > 3:
            continue
        rng = np.random.default_rng(8)
        forward, backward_input, _, _ = kernel_cases.convolution(rng, np.float64, *case)
        x, weight, _, *options = forward[1]
        dy = backward_input[1][0]
        change_x, change_weight = drawn(9, x.shape, weight.shape)
        dx = module.backward_input(*backward_input[1])
        dweight = module.backward_weight(dy, x, weight.shape, *options)
        assert dx.shape == x.shape
        assert dweight.shape == weight.shape
        # Convolution is linear in each: along any change, the loss moves by exactly this much.
        close(np.sum(dx * change_x), np.sum(dy * module.forward(change_x, weight, None, *options)))
        moved = np.sum(dy * module.forward(x, change_weight, None, *options))
        close(np.sum(dweight * change_weight), moved)
        (change_bias,), dbias = drawn(9, dy.shape[1:2]), module.backward_bias(dy)
        assert dbias.shape == change_bias.shape
        close(np.sum(dbias * change_bias), np.sum(dy * change_bias[:, None, None]))
        if x.size < 60:
            arguments = x, weight, None, *options
            close(dx, slope(module.forward, arguments, 0, dy, 1.0))
            close(dweight, slope(module.forward, arguments, 1, dy, 1.0))


def _window(p, kernel, stride, padding, dilation):
    """Positions under the window of output p along one axis, also those outside the image."""
    return [p * stride - padding + i * dilation for i in range(kernel)]


def _poolings():
    """Poolings with and without ceil_mode: the arguments of `pooling` but for the numbers."""
    return [(*case, ceil_mode) for case in kernel_cases.WINDOWS for ceil_mode in (False, True)]


@cache
def _largest():
    """What max pooling means, by definition, worked out once for all specifications."""
    found = []
    for n, c, size, kernel, stride, padding, dilation, ceil_mode in _poolings():
        out = kernel_cases.out_size(size, kernel, stride, padding, dilation, ceil_mode)
        x, dy = drawn(10, (n, c, *size), (n, c, *out))
        for image in (x, np.round(x), np.where(x > 1, np.nan, x), np.full_like(x, -np.inf)):
            largest, place = np.empty(dy.shape), np.empty(dy.shape, np.int64)
            dx = np.zeros_like(x)
            for a, b, p, q in np.ndindex(dy.shape):
                rows = _window(p, kernel[0], stride[0], padding[0], dilation[0])
                columns = _window(q, kernel[1], stride[1], padding[1], dilation[1])
                inside = [
                    (image[a, b, row, column], row * size[1] + column)
                    for row, column in itertools.product(rows, columns)
                    if 0 <= row < size[0] and 0 <= column < size[1]
                ]
                nans = [pair for pair in inside if pair[0] != pair[0]]
                best = nans[-1] if nans else max(inside, key=lambda pair: pair[0])
                largest[a, b, p, q], place[a, b, p, q] = best
                dx[a, b].flat[best[1]] += dy[a, b, p, q]
            window = kernel, stride, padding, dilation
            found.append((window, out, *map(_frozen, (image, dy, largest, place, dx))))
    return found


def _frozen(array):
    array.flags.writeable = False
    return array


def pool_max(module):
    for window, out, image, dy, largest, place, dx in _largest():
        y, argmax = module.max_forward(image, *window, out)
        close(y, largest)
        close(argmax, place)
        close(module.max_backward(dy, argmax, image.shape), dx)
        y, where = module.max_forward_local(image, *window, out)
        close(y, largest)
        assert where.dtype == np.uint8
        kernel, stride, padding, dilation = window
        i, j = np.divmod(where.astype(np.int64), kernel[1])
        assert (i < kernel[0]).all()
        row = np.arange(out[0])[:, None] * stride[0] - padding[0] + i * dilation[0]
        column = np.arange(out[1]) * stride[1] - padding[1] + j * dilation[1]
        close(row * image.shape[3] + column, place)
        close(module.max_backward_local(dy, where, image.shape, *window), dx)
    y, argmax = module.max_forward(np.ones((1, 1, 2, 3)), (2, 2), (1, 1), (1, 1), (3, 3), (1, 2))
    close(y, [[[[-np.inf, -np.inf]]]])
    close(argmax, [[[[-1, -1]]]])
    close(module.max_backward(np.ones(y.shape), argmax, (1, 1, 2, 3)), np.zeros((1, 1, 2, 3)))
    for place in (5, 6):
        with pytest.raises(IndexError, match="max_backward"):
            module.max_backward(np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), place), (1, 1, 1, 5))


def pool_places_outside(module):
    """Windows without a pixel, places that point nowhere, and windows too large for a byte."""
    window = (2, 2), (1, 1), (1, 1), (3, 3)
    y, where = module.max_forward_local(np.ones((1, 1, 2, 3)), *window, (1, 2))
    close(y, [[[[-np.inf, -np.inf]]]])
    close(where, [[[[255, 255]]]])
    dx = module.max_backward_local(np.ones(y.shape), where, (1, 1, 2, 3), *window)
    close(dx, np.zeros((1, 1, 2, 3)))
    window = (2, 2), (2, 2), (1, 1), (1, 1)
    for place, row, column in [(0, -1, -1), (1, -1, 0), (2, 0, -1), (3, 0, 0), (4, 1, -1)]:
        dx = module.max_backward_local(
            np.ones((1, 1, 1, 1)), np.full((1, 1, 1, 1), place, np.uint8), (1, 1, 1, 1), *window
        )
        close(dx, [[[[float(row == column == 0)]]]])
    dx = module.max_backward_local(
        np.ones((1, 1, 2, 2)), np.full((1, 1, 2, 2), 3, np.uint8), (1, 1, 2, 2), *window
    )
    close(dx, [[[[1, 0], [0, 0]]]])
    # Row 1, column -1; row 0, one column too far; one row too far; places behind the window's last.
    aside = (2, 2), (1, 1), (0, 1), (1, 1)
    below = (2, 2), (1, 1), (1, 0), (1, 1)
    inner = (2, 2), (1, 1), (0, 0), (1, 1)
    for options, out, at, place in [
        (aside, (2, 4), (0, 0), 2),
        (aside, (2, 4), (0, 3), 1),
        (below, (4, 2), (3, 0), 2),
        (inner, (2, 2), (0, 0), 4),
        (inner, (2, 2), (0, 0), 255),
    ]:
        dy, where = np.zeros((1, 1, *out)), np.full((1, 1, *out), 255, np.uint8)
        dy[0, 0][at], where[0, 0][at] = 1, place
        close(module.max_backward_local(dy, where, (1, 1, 3, 3), *options), np.zeros((1, 1, 3, 3)))
    for kernel in [(2, 127), (127, 2)]:
        options = kernel, (1, 1), (0, 0), (1, 1)
        x = drawn(12, (1, 1, *kernel))[0]
        y, where = module.max_forward_local(x, *options, (1, 1))
        close(y, [[[[x.max()]]]])
        assert where.item() == x.argmax()
    for kernel in [(3, 85), (85, 3), (1, 255), (255, 1), (16, 16)]:
        with pytest.raises(ValueError, match="windows below 255"):
            module.max_forward_local(
                np.ones((1, 1, *kernel)), kernel, (1, 1), (0, 0), (1, 1), (1, 1)
            )


@cache
def _averages():
    """What average pooling means, by definition, worked out once for all specifications."""
    found = []
    for n, c, size, kernel, stride, padding, dilation, ceil_mode in _poolings():
        if dilation != (1, 1):
            continue
        out = kernel_cases.out_size(size, kernel, stride, padding, dilation, ceil_mode)
        x, dy = drawn(11, (n, c, *size), (n, c, *out))
        for count_include_pad in (True, False):
            dx = np.zeros_like(x)
            want = np.zeros_like(dy)
            for p, q in np.ndindex(out):
                rows, columns = (
                    _window(at, kernel[d], stride[d], padding[d], 1) for d, at in enumerate((p, q))
                )
                margin = padding if count_include_pad else (0, 0)
                tall = sum(-margin[0] <= row < size[0] + margin[0] for row in rows)
                wide = sum(-margin[1] <= column < size[1] + margin[1] for column in columns)
                for row, column in itertools.product(rows, columns):
                    if 0 <= row < size[0] and 0 <= column < size[1]:
                        want[:, :, p, q] += x[:, :, row, column] / (tall * wide)
                        dx[:, :, row, column] += dy[:, :, p, q] / (tall * wide)
            window = kernel, stride, padding
            found.append((window, out, count_include_pad, *map(_frozen, (x, dy, want, dx))))
    return found


def pool_average(module):
    for window, out, count_include_pad, x, dy, want, dx in _averages():
        close(module.avg_forward(x, *window, out, count_include_pad), want)
        close(module.avg_backward(dy, x.shape, *window, count_include_pad), dx)


def pool_average_beyond_the_image(module):
    """Windows that touch no pixel, which a caller may ask for, give 0 and take no gradient."""
    x, dy = drawn(12, (1, 1, 2, 3), (1, 1, 4, 5))
    for count_include_pad in (True, False):
        arguments = x, (1, 2), (1, 1), (1, 1), (4, 5), count_include_pad
        y = module.avg_forward(*arguments)
        close(y[0, 0, [0, 3]], np.zeros((2, 5)))
        close(y[0, 0, :, 4], np.zeros(4))
        dx = module.avg_backward(dy, x.shape, (1, 2), (1, 1), (1, 1), count_include_pad)
        close(dx, slope(module.avg_forward, arguments, 0, dy, 1.0))


def pool_adaptive(module):
    for size, out in [((5, 7), (2, 3)), ((4, 6), (1, 1)), ((3, 2), (5, 4)), ((6, 4), (3, 2))]:
        x, dy = drawn(13, (2, 3, *size), (2, 3, *out))
        y = module.adaptive_avg_forward(x, out)
        for p, q in np.ndindex(out):
            rows = slice(
                int(np.floor(p * size[0] / out[0])), int(np.ceil((p + 1) * size[0] / out[0]))
            )
            columns = slice(
                int(np.floor(q * size[1] / out[1])), int(np.ceil((q + 1) * size[1] / out[1]))
            )
            close(y[:, :, p, q], np.mean(x[:, :, rows, columns], axis=(2, 3)))
        dx = module.adaptive_avg_backward(dy, x.shape)
        close(dx, slope(module.adaptive_avg_forward, (x, out), 0, dy, 1.0))


def pool_adaptive_max(module):
    for size, out in [((5, 7), (2, 3)), ((4, 6), (1, 1)), ((3, 2), (5, 4))]:
        x = drawn(13, (1, 2, *size))[0]
        for image in (x, np.round(x), np.where(x > 1, np.nan, x), np.full_like(x, -np.inf)):
            y, argmax = module.adaptive_max_forward(image, out)
            for a, b, p, q in np.ndindex(y.shape):
                rows, columns = (
                    range(at * size[d] // out[d], -(-(at + 1) * size[d] // out[d]))
                    for d, at in enumerate((p, q))
                )
                window = [
                    (image[a, b, row, column], row * size[1] + column)
                    for row, column in itertools.product(rows, columns)
                ]
                nans = [pair for pair in window if pair[0] != pair[0]]
                best = nans[-1] if nans else max(window, key=lambda pair: pair[0])
                close(y[a, b, p, q], best[0])
                assert argmax[a, b, p, q] == best[1]


def lrn(module):
    for size, alpha, beta, k in [(5, 0.4, 0.75, 2.0), (4, 0.3, 0.5, 1.0), (1, 1.0, 1.3, 0.7)]:
        for shape in [(2, 7, 3), (1, 2, 4), (0, 3, 2)]:
            x, dy = drawn(14, shape, shape)
            y, s = module.forward(x, size, alpha, beta, k)
            assert y.shape == s.shape == shape
            for n, i, p in np.ndindex(shape):
                low, high = max(i - size // 2, 0), min(i + (size - 1) // 2, shape[1] - 1)
                want = k + alpha * sum(x[n, j, p] ** 2 for j in range(low, high + 1))
                close(s[n, i, p], want)
                close(y[n, i, p], x[n, i, p] / want**beta)
            dx = module.backward(dy, x, s, size, alpha, beta)
            close(dx, slope(module.forward, (x, size, alpha, beta, k), 0, dy), 1e-7)


def drop_block(module):
    rng = np.random.default_rng(15)
    for n, c, h, w, b in [(2, 3, 7, 9, 3), (3, 1, 5, 6, 2), (1, 2, 4, 4, 4), (2, 2, 3, 5, 1)]:
        seeds = rng.random((n, c, h - b + 1, w - b + 1)) < 0.2
        keep = module.expand(seeds, b)
        want = np.ones((n, c, h, w), bool)
        for image, channel, row, column in np.argwhere(seeds):
            want[image, channel, row : row + b, column : column + b] = False
        assert keep.dtype == bool
        np.testing.assert_array_equal(keep, want)
    for channels, share in [(3, 0.7), (1, 0.7), (1, 1.0), (1, 0.0)]:
        x, dy = drawn(16, (2, 3, 4, 5), (2, 3, 4, 5))
        keep = rng.random((2, channels, 4, 5)) < share
        y, scale = module.forward(x, keep)
        assert scale == (keep.size / np.sum(keep) if keep.any() else 0.0)
        close(y, np.where(keep, x * scale, 0))
        close(module.backward(dy, keep, 1.3), np.where(keep, dy * 1.3, 0))
        close(module.product(x, keep, 1.3), np.where(keep, x * 1.3, 0))


def drop_block_by_seed(module):
    for seed, gamma, block in [(3, 0.2, 3), (2**64 - 5, 0.03, 2), (7, 1.0, 1), (9, 0.0, 2)]:
        shape = 2, 3, 11, 9
        places = 2, 3, 12 - block, 10 - block
        wanted = np.array([_number(i, seed) for i in range(int(np.prod(places)))])
        for chance in (gamma, int(wanted[5]) / 2**32, (int(wanted[5]) + 1) / 2**32):
            seeds = (wanted < round(chance * 2**32)).reshape(places)
            np.testing.assert_array_equal(module.seeds(places, seed, chance), seeds)
            keep, scale = module.mask(shape, seed, chance, block)
            np.testing.assert_array_equal(keep, module.expand(seeds, block))
            assert scale == (keep.size / keep.sum() if keep.any() else 0.0)


def drop_connect(module):
    for n, k, d, seed, p in [(3, 4, 5, 2**40 + 3, 0.3), (2, 1, 7, 5, 0.6), (0, 2, 3, 8, 0.5)]:
        x, weight, dy = drawn(19, (n, d), (k, d), (n, k))
        keep = module.mask(n, k, d, seed, p)
        wanted = [_number(i, seed) >= round(p * 2**32) for i in range(n * k * d)]
        np.testing.assert_array_equal(keep, np.reshape(wanted, (n, k, d)))
        exact = max([_number(i, seed) for i in range(n * k * d)], default=0) / 2**32
        assert module.mask(n, k, d, seed, exact).sum() == (n > 0)
        y = np.zeros((n, k))
        for i, o, j in np.ndindex(n, k, d):
            y[i, o] += keep[i, o, j] * weight[o, j] * x[i, j]
        close(module.forward(x, weight, seed, p), y)
        arguments = x, weight, seed, p
        close(
            module.backward_input(dy, weight, seed, p), slope(module.forward, arguments, 0, dy, 1)
        )
        close(module.backward_weight(dy, x, seed, p), slope(module.forward, arguments, 1, dy, 1))


def dropout(module):
    rng = np.random.default_rng(17)
    for p in (0.0, 0.3, 1.0):
        x, dy = drawn(18, (4, 5), (4, 5))
        keep = rng.random(x.shape) >= p
        close(module.forward(x, keep, p), np.where(keep, x / (1 - p + (p == 1)), 0))
        dx = module.backward(dy, keep, p)
        close(dx, np.where(keep, dy / (1 - p + (p == 1)), 0))
    close(module.forward(x, np.ones_like(x, bool), 1.0), np.zeros_like(x))
    close(module.backward(x, np.ones_like(x, bool), 1.0), np.zeros_like(x))


def _hashed(index, seed):
    """The hash of dropout's specification in Python's own integers."""

    def mixed(h):
        h = (h ^ (h >> 16)) * 0x7FEB352D % 2**32
        h = (h ^ (h >> 15)) * 0x846CA68B % 2**32
        return h ^ (h >> 16)

    h = mixed((index * 0x9E3779B9 + seed) % 2**32)
    return mixed((h + (seed >> 32)) % 2**32)


def _number(place, seed):
    """The 32-bit number of a place: a byte of a hash it shares, three of one of its own."""
    highest = _hashed(place // 4, seed) >> 8 * (place % 4) & 0xFF
    return highest << 24 | _hashed(place, seed ^ 2**63) & 0xFFFFFF


def dropout_by_seed(module):
    for seed in (0, 5, 2**40 + 17, 2**64 - 1):
        numbers = np.array([_number(i, seed) for i in range(600)])
        for p in (0.0, 0.3, 0.75, 1.0, (int(numbers[7]) + 0.4) / 2**32, numbers[7] / 2**32):
            keep = numbers >= round(p * 2**32)
            close(module.mask((20, 30), seed, p), keep.reshape(20, 30))
            (x,) = drawn(21, (20, 30))
            for scale in (1.0, 1.7):
                close(module.seeded(x, seed, p, scale), x * keep.reshape(x.shape) * scale)


def softmax_cross_entropy(module):
    rng = np.random.default_rng(19)
    for n, k in [(5, 4), (3, 1), (0, 3)]:
        logits, dlosses = drawn(20, (n, k), n)
        targets = rng.integers(0, k, n)
        for shift in (0, 1000):
            losses, probabilities = module.forward(logits + shift, targets)
            logs = scipy.special.log_softmax(logits, axis=1)
            close(losses, -logs[np.arange(n), targets])
            close(probabilities, np.exp(logs))
        dlogits = module.backward(dlosses, probabilities, targets)
        close(dlogits, slope(module.forward, (logits, targets), 0, dlosses), 1e-7)
    losses, probabilities = module.forward(np.array([[-1000.0, 1000.0]]), np.array([0]))
    close(losses, [2000])
    close(probabilities, [[0, 1]])
    for target in (-1, 3):
        targets = np.array([0, target])
        with pytest.raises(IndexError, match="targets"):
            module.forward(np.ones((2, 3)), targets)
        with pytest.raises(IndexError, match="targets"):
            module.backward(np.ones(2), np.ones((2, 3)), targets)


def softmax_cross_entropy_smoothed(module):
    rng = np.random.default_rng(21)
    for n, k, eps in [(5, 4, 0.1), (3, 1, 0.3), (4, 3, 1.0), (2, 6, 0.0), (0, 3, 0.2)]:
        logits, dlosses = drawn(22, (n, k), n)
        targets = rng.integers(0, k, n)
        losses, probabilities = module.smoothed_forward(logits + 1000, targets, eps)
        logs = scipy.special.log_softmax(logits, axis=1)
        weights = np.full((n, k), eps / k) + (1 - eps) * np.eye(k)[targets]
        close(losses, -(weights * logs).sum(axis=1))
        close(probabilities, np.exp(logs))
        dlogits = module.smoothed_backward(dlosses, probabilities, targets, eps)
        arguments = logits, targets, eps
        close(dlogits, slope(module.smoothed_forward, arguments, 0, dlosses), 1e-7)
    losses, _ = module.smoothed_forward(np.array([[-1000.0, 1000.0]]), np.array([0]), 0.5)
    close(losses, [1500])
    for target in (-1, 3):
        targets = np.array([0, target])
        with pytest.raises(IndexError, match="targets"):
            module.smoothed_forward(np.ones((2, 3)), targets, 0.1)
        with pytest.raises(IndexError, match="targets"):
            module.smoothed_backward(np.ones(2), np.ones((2, 3)), targets, 0.1)


def softmax_cross_entropy_dense(module):
    for n, k in [(5, 4), (3, 1), (0, 3)]:
        logits, q, dlosses = drawn(29, (n, k), (n, k), n)
        losses, probabilities = module.dense_forward(logits + 1000, q)
        logs = scipy.special.log_softmax(logits, axis=1)
        close(losses, -(q * logs).sum(axis=1))
        close(probabilities, np.exp(logs))
        dlogits = module.dense_backward(dlosses, probabilities, q)
        close(dlogits, slope(module.dense_forward, (logits, q), 0, dlosses), 1e-7)
    impossible, one = np.array([[-np.inf, 0.0], [0.0, 0.0]]), np.array([[0.0, 1.0]] * 2)
    close(module.dense_forward(impossible, one)[0], [0, np.log(2)])


def activation_by_value(module):
    x = np.array([[-800.0, -30.0, -1.5], [-1e-3, 0.0, 1e-3], [2.0, 40.0, 900.0]])
    for forward, backward, wanted in [
        (module.sigmoid_forward, module.sigmoid_backward, scipy.special.expit(x)),
        (module.tanh_forward, module.tanh_backward, np.tanh(x)),
    ]:
        np.testing.assert_allclose(forward(x), wanted, rtol=1e-14, atol=1e-300)
        assert np.isnan(forward(np.array(np.nan)))
        small, dy = drawn(24, (3, 4), (3, 4))
        close(backward(dy, forward(small)), slope(forward, (small,), 0, dy), 1e-7)


def activation_by_row(module):
    for n, k in [(5, 4), (3, 1), (0, 3)]:
        x, dy = drawn(25, (n, k), (n, k))
        logs = scipy.special.log_softmax(x, axis=1)
        for forward, backward, wanted in [
            (module.softmax_forward, module.softmax_backward, np.exp(logs)),
            (module.log_softmax_forward, module.log_softmax_backward, logs),
        ]:
            close(forward(x), wanted)
            close(forward(x + 1000), wanted)
            close(backward(dy, forward(x)), slope(forward, (x,), 0, dy), 1e-7)
    extreme = np.array([[-1000.0, 1000.0]])
    close(module.softmax_forward(extreme), [[0, 1]])
    close(module.log_softmax_forward(extreme), [[-2000, 0]])


def linear(module):
    x, weight, bias, dy = drawn(31, (5, 4), (3, 4), 3, (5, 3))
    for relu in (False, True):
        y = module.forward(x, weight, bias, relu)
        for i, j in np.ndindex(5, 3):
            value = sum(x[i, p] * weight[j, p] for p in range(4)) + bias[j]
            close(y[i, j], max(value, 0) if relu else value)
        gradients = module.backward(dy, x, weight, y if relu else None, (True, True, True))
        for which, found in enumerate(gradients):
            close(found, slope(module.forward, (x, weight, bias, relu), which, dy), 1e-7)
        for alone in range(3):
            needs = tuple(which == alone for which in range(3))
            only = module.backward(dy, x, weight, y if relu else None, needs)
            assert [g is not None for g in only] == list(needs)
            close(only[alone], gradients[alone])
    close(module.forward(x, weight, None, False), x @ weight.T)


def relu(module):
    x = np.array([[-1.5, 0.0, -0.0], [2.5, np.nan, 1e-300], [np.inf, -np.inf, -1e-300]])
    y = module.forward(x)
    np.testing.assert_array_equal(y, [[0, 0, 0], [2.5, np.nan, 1e-300], [np.inf, 0, 0]])
    (dy,) = drawn(23, (3, 3))
    np.testing.assert_array_equal(module.backward(dy, y), dy * [[0, 0, 0], [1, 1, 1], [1, 0, 0]])


def group_norm(module):
    for n, c, s, groups in [(3, 6, 4, 2), (2, 3, 5, 1), (2, 4, 3, 4), (4, 5, 1, 1)]:
        x, gamma, beta, dy = drawn(8, (n, c, s), c, c, (n, c, s))
        arguments = x, gamma, beta, groups, 0.1
        y, mean, inv_std = module.forward(*arguments)
        assert mean.shape == inv_std.shape == (n, groups)
        for i, channel in np.ndindex(n, c):
            each = c // groups
            group = channel // each
            values = x[i, group * each : (group + 1) * each]
            close(mean[i, group], np.mean(values))
            close(inv_std[i, group], (np.var(values) + 0.1) ** -0.5)
            hat = (x[i, channel] - np.mean(values)) / np.sqrt(np.var(values) + 0.1)
            close(y[i, channel], gamma[channel] * hat + beta[channel])
        gradients = module.backward(dy, x, mean, inv_std, gamma, groups)
        for which, found in enumerate(gradients):
            close(found, slope(module.forward, arguments, which, dy), 1e-7)
    x = (drawn(2, (2, 3, 500))[0] + 1000).astype(np.float32)
    inv_std = module.forward(x, *np.ones((2, 3), np.float32), 1, 1e-5)[2]
    close(inv_std[:, 0], x.astype(np.float64).std(axis=(1, 2)) ** -1.0, 1e-4)


ORACLES = {
    **recurrent_oracles.ORACLES,
    **upsample_oracles.ORACLES,
    "activation": [activation_by_value, activation_by_row, *activation_oracles.ORACLES],
    "batch_norm": [
        batch_norm_forward,
        batch_norm_backward,
        batch_norm_fused,
        batch_norm_given_statistics,
        batch_norm_statistics_over_batches,
    ],
    "conv2d": [conv2d_forward, conv2d_backward],
    "drop_block": [drop_block, drop_block_by_seed],
    "drop_connect": [drop_connect],
    "dropout": [dropout, dropout_by_seed],
    "group_norm": [group_norm],
    "linear": [linear],
    "lrn": [lrn],
    "optimizer": optimizer_oracles.ORACLES,
    "pool": [
        pool_max,
        pool_places_outside,
        pool_average,
        pool_average_beyond_the_image,
        pool_adaptive,
        pool_adaptive_max,
    ],
    "relu": [relu],
    "softmax_cross_entropy": [
        softmax_cross_entropy,
        softmax_cross_entropy_smoothed,
        softmax_cross_entropy_dense,
    ],
}
