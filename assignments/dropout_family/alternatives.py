"""Other right solutions: other algebra, explicit loops, another precision inside, other draws.

Each must keep every point, whatever the secret and whatever the seeds. If one does not, the check
is wrong, not it.
"""

import numpy as np

from minidl.grading.mistake import alternative

# --- standard and inverted


@alternative(target="standard")
def standard_with_where(x, keep, p, training):
    """np.where instead of a product."""
    return np.where(keep, x, 0).astype(x.dtype) if training else (1 - p) * x


@alternative(target="standard")
def standard_by_indexing(x, keep, p, training):
    """A copy in which the dropped values are overwritten."""
    y = x.copy()
    if training:
        y[~keep] = 0
    else:
        y -= x.dtype.type(p) * x
    return y


@alternative(target="standard")
def standard_in_loops(x, keep, p, training):
    """One value after the other."""
    y = np.empty(x.size, x.dtype)
    for at, (value, kept) in enumerate(zip(x.ravel(), keep.ravel(), strict=True)):
        y[at] = (value if kept else 0) if training else float(value) * (1 - p)
    return y.reshape(x.shape)


@alternative(target="inverted")
def inverted_with_where(x, keep, p):
    """Divide where kept; with p = 1 there is nothing to divide."""
    if p == 1:
        return np.zeros_like(x)
    return np.where(keep, x / (1 - p), 0).astype(x.dtype)


@alternative(target="inverted")
def inverted_in_float64(x, keep, p):
    """A float64 mask that holds the scale already."""
    mask = keep.astype(np.float64) / np.maximum(1 - p, 1e-300)
    return (x * mask).astype(x.dtype)


@alternative(target="inverted")
def inverted_by_indexing(x, keep, p):
    """Only what is kept is touched."""
    y = np.zeros_like(x)
    y[keep] = x[keep] / (1 - p) if keep.any() else 0
    return y


@alternative(target="inverted_backward")
def inverted_backward_with_where(dy, keep, p):
    """np.where, and division instead of a scale."""
    if p >= 1:
        return dy * 0
    return np.where(keep, dy / (1 - p), 0).astype(dy.dtype)


@alternative(target="inverted_backward")
def inverted_backward_with_a_matrix(dy, keep, p):
    """The whole Jacobian, a diagonal matrix, from the left."""
    diagonal = [(1 / (1 - p) if p < 1 else 0.0) if kept else 0.0 for kept in keep.ravel()]
    return (np.diag(diagonal) @ dy.ravel()).reshape(dy.shape).astype(dy.dtype)


@alternative(target="inverted_backward")
def inverted_backward_by_indexing(dy, keep, p):
    """Only what was kept gets a gradient."""
    dx = np.zeros_like(dy)
    dx[keep] = dy[keep]
    return dx / dy.dtype.type(1 - p) if p < 1 else dx


# --- draw_mask


@alternative(target="draw_mask")
def draw_mask_below(shape, p, rng):
    """Below 1 - p instead of above p."""
    return rng.random(shape) < 1 - p


@alternative(target="draw_mask")
def draw_mask_binomial(shape, p, rng):
    """One throw of a coin for each value."""
    return rng.binomial(1, 1 - p, size=shape) == 1


@alternative(target="draw_mask")
def draw_mask_by_choice(shape, p, rng):
    """A choice between two values with given probabilities."""
    return rng.choice(np.array([False, True]), size=shape, p=[p, 1 - p])


@alternative(target="draw_mask")
def draw_mask_from_the_end(shape, p, rng):
    """One value after the other, from the last to the first."""
    keep = np.ones(int(np.prod(shape)), bool)
    for i in range(keep.size - 1, -1, -1):
        keep[i] = rng.uniform() > p or p == 0
    return keep.reshape(shape)


@alternative(target="draw_mask")
def draw_mask_column_by_column(shape, p, rng):
    """The draws run down the columns, in float32."""
    flat = rng.random(int(np.prod(shape)), dtype=np.float32)
    return np.ascontiguousarray(flat.reshape(shape, order="F") >= np.float32(p))


@alternative(target="draw_mask")
def draw_mask_from_another_generator(shape, p, rng):
    """A generator of its own, seeded from the one that was handed in, draws whole numbers."""
    own = np.random.default_rng(rng.integers(2**63))
    return own.integers(0, 2**32, size=shape) >= round(p * 2**32)


# --- gaussian


@alternative(target="gaussian")
def gaussian_with_normal(x, p, rng):
    """The generator is given mean and standard deviation."""
    return (x * rng.normal(1.0, (p / (1 - p)) ** 0.5, x.shape)).astype(x.dtype)


@alternative(target="gaussian")
def gaussian_in_the_dtype_of_x(x, p, rng):
    """Drawn in x's own dtype, from the transposed shape, and subtracted."""
    noise = rng.standard_normal(x.shape[::-1], dtype=x.dtype.type).T
    return x - x * noise * x.dtype.type(np.sqrt(p) / np.sqrt(1 - p))


@alternative(target="gaussian")
def gaussian_in_loops(x, p, rng):
    """One value after the other."""
    y = np.empty_like(x)
    for index in np.ndindex(x.shape):
        y[index] = x[index] * rng.normal(loc=1, scale=(1 / (1 - p) - 1) ** 0.5)
    return y


@alternative(target="gaussian")
def gaussian_after_box_and_muller(x, p, rng):
    """Normal numbers made of pairs of uniform ones."""
    radius = np.sqrt(-2 * np.log1p(-rng.random(x.shape)))
    noise = radius * np.cos(2 * np.pi * rng.random(x.shape))
    return (x * (1 + noise * np.sqrt(p / (1 - p)))).astype(x.dtype)


# --- spatial


@alternative(target="spatial")
def spatial_in_loops(x, p, rng):
    """One channel after the other."""
    y = np.zeros_like(x)
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            if rng.random() > p or p == 0:
                y[i, k] = x[i, k] / (1 - p)
    return y


@alternative(target="spatial")
def spatial_binomial(x, p, rng):
    """A throw of a coin for each channel, drawn channels first."""
    n, c = x.shape[:2]
    keep = rng.binomial(1, 1 - p, size=(c, n)).T.astype(x.dtype)
    return x * keep.reshape(n, c, 1, 1) / x.dtype.type(max(1 - p, 1e-30))


@alternative(target="spatial")
def spatial_repeated(x, p, rng):
    """The decisions are repeated over all pixels, and indexed."""
    n, c, h, w = x.shape
    dropped = np.repeat(rng.uniform(size=n * c) < p, h * w).reshape(x.shape)
    y = x.copy()
    y[~dropped] /= 1 - p if p < 1 else 1
    y[dropped] = 0
    return y


# --- drop_connect


@alternative(target="drop_connect")
def drop_connect_in_loops(x, weight, keep):
    """One sample after the other, as a product of matrix and vector."""
    y = np.empty((len(x), len(weight)), x.dtype)
    for i in range(len(x)):
        y[i] = np.where(keep[i], weight, 0) @ x[i]
    return y


@alternative(target="drop_connect")
def drop_connect_with_matmul(x, weight, keep):
    """A stack of matrices times a stack of columns."""
    return np.matmul(keep * weight[None], x[:, :, None])[:, :, 0]


@alternative(target="drop_connect")
def drop_connect_masking_the_inputs(x, weight, keep):
    """The masks on copies of x, in float64, and then a sum."""
    copies = x[:, None, :].astype(np.float64) * keep
    return (copies * weight).sum(axis=-1).astype(x.dtype)


@alternative(target="drop_connect_backward")
def drop_connect_backward_in_loops(dy, x, weight, keep):
    """One sample after the other, as an ordinary linear layer."""
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    for i in range(len(x)):
        dx[i] = (weight * keep[i]).T @ dy[i]
        dweight += np.outer(dy[i], x[i]) * keep[i]
    return dx, dweight


@alternative(target="drop_connect_backward")
def drop_connect_backward_with_sums(dy, x, weight, keep):
    """Products of three, and sums over one axis each."""
    passed = dy[:, :, None] * keep
    dx = (passed * weight[None]).sum(axis=1)
    dweight = (passed * x[:, None, :]).sum(axis=0)
    return dx.astype(dy.dtype), dweight.astype(dy.dtype)


@alternative(target="drop_connect_backward")
def drop_connect_backward_as_a_list(dy, x, weight, keep):
    """np.matmul, float64 inside, and a list."""
    rows = dy[:, None, :].astype(np.float64) @ np.where(keep, weight, 0)
    outer = dy[:, :, None].astype(np.float64) @ x[:, None, :]
    dweight = np.where(keep, outer, 0).sum(axis=0)
    return [rows[:, 0].astype(dy.dtype), dweight.astype(dy.dtype)]


@alternative(target="drop_connect_moments")
def drop_connect_moments_term_by_term(x, weight, p):
    """All terms in a table, summed at the end."""
    terms = x[:, None, :] * weight[None]
    q = 1 - p
    return terms.sum(axis=2) * q, (terms**2).sum(axis=2) * q * p


@alternative(target="drop_connect_moments")
def drop_connect_moments_from_squares(x, weight, p):
    """Mean square minus squared mean, term by term, in float64."""
    terms = np.einsum("id,od->iod", x.astype(np.float64), weight)
    q = 1 - p
    variance = np.sum(q * terms**2 - (q * terms) ** 2, axis=-1)
    return (q * terms.sum(axis=-1)).astype(x.dtype), variance.astype(x.dtype)


@alternative(target="drop_connect_moments")
def drop_connect_moments_in_loops(x, weight, p):
    """One output after the other."""
    mean = np.zeros((len(x), len(weight)), x.dtype)
    variance = np.zeros_like(mean)
    for i, row in enumerate(x):
        for o, w in enumerate(weight):
            mean[i, o] = (1 - p) * np.dot(w, row)
            variance[i, o] = (p - p**2) * np.dot(w**2, row**2)
    return mean, variance


@alternative(target="drop_connect_inference")
def drop_connect_inference_in_loops(mean, variance, noise):
    """One draw after the other."""
    std = variance**0.5
    total = np.zeros_like(mean)
    for draw in noise:
        total += np.where(mean + std * draw > 0, mean + std * draw, 0)
    return total / mean.dtype.type(len(noise))


@alternative(target="drop_connect_inference")
def drop_connect_inference_with_abs(mean, variance, noise):
    """relu(z) = (z + |z|) / 2."""
    z = np.sqrt(variance)[None] * noise + mean[None]
    return np.average((z + np.abs(z)) / 2, axis=0)


@alternative(target="drop_connect_inference")
def drop_connect_inference_in_float64(mean, variance, noise):
    """float64 inside, clipped in place."""
    z = mean.astype(np.float64) + noise * np.sqrt(variance.astype(np.float64))
    z[z < 0] = 0
    return (z.sum(axis=0) / noise.shape[0]).astype(mean.dtype)


# --- standout


@alternative(target="standout")
def standout_with_tanh(x, weight, alpha, beta, uniform, training):
    """sigmoid(z) = (1 + tanh(z / 2)) / 2."""
    sums = np.einsum("id,od->io", x, weight)
    probability = (1 + np.tanh((alpha * sums + beta) / 2)) / 2
    h = np.where(sums > 0, sums, 0).astype(x.dtype)
    y = np.where(uniform < probability, h, 0) if training else probability * h
    return y.astype(x.dtype), probability.astype(x.dtype)


@alternative(target="standout")
def standout_in_float64(x, weight, alpha, beta, uniform, training):
    """float64 inside; the sigmoid from exp of negative numbers alone."""
    sums = (weight.astype(np.float64) @ x.T.astype(np.float64)).T
    logit = alpha * sums + beta
    small = np.exp(-np.abs(logit))
    probability = np.where(logit >= 0, 1, small) / (1 + small)
    gate = (probability - uniform > 0) if training else probability
    y = sums.clip(min=0) * gate
    return y.astype(x.dtype), probability.astype(x.dtype)


@alternative(target="standout")
def standout_with_scaled_weights(x, weight, alpha, beta, uniform, training):
    """The standout network as a layer of its own, with alpha times the weights and bias beta."""
    probability = 1 / (1 + np.exp(-(x @ (alpha * weight).T) - beta))
    h = (x @ weight.T) * (x @ weight.T > 0)
    if training:
        h[uniform >= probability] = 0
        return h, probability
    return h * probability, probability


# --- drop_block


@alternative(target="drop_block_gamma")
def drop_block_gamma_from_counts(keep_prob, block_size, h, w):
    """Pixels to drop, blocks that takes, and places to put them."""
    pixels = (1 - keep_prob) * h * w
    blocks = pixels / (block_size * block_size)
    rows, columns = h + 1 - block_size, w + 1 - block_size
    return 1.0 if keep_prob <= 0 else blocks / (rows * columns)


@alternative(target="drop_block_gamma")
def drop_block_gamma_axis_by_axis(keep_prob, block_size, h, w):
    """One factor for each axis."""
    if not keep_prob:
        return 1
    gamma = 1 - keep_prob
    for length in (h, w):
        gamma *= length / (block_size * (length - block_size + 1))
    return gamma


@alternative(target="drop_block_gamma")
def drop_block_gamma_with_numpy(keep_prob, block_size, h, w):
    """NumPy numbers throughout."""
    size = np.array([h, w], dtype=np.float64)
    ratio = np.prod(size / (size - block_size + 1)) / np.square(block_size)
    return np.where(keep_prob > 0, np.minimum((1 - keep_prob) * ratio, 1), 1.0)


@alternative(target="drop_block_mask")
def drop_block_mask_seed_by_seed(seeds, block_size):
    """One block after the other."""
    n, c, rows, columns = seeds.shape
    keep = np.full((n, c, rows + block_size - 1, columns + block_size - 1), True)
    for i, k, row, column in np.argwhere(seeds):
        keep[i, k, row : row + block_size, column : column + block_size] = False
    return keep


@alternative(target="drop_block_mask")
def drop_block_mask_as_maxima(seeds, block_size):
    """Padded with zeros, the largest value of each window, as a pooling layer would."""
    edge = block_size - 1
    padded = np.pad(seeds, ((0, 0), (0, 0), (edge, edge), (edge, edge)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (block_size, block_size), (2, 3))
    return ~windows.max(axis=(4, 5))


@alternative(target="drop_block_mask")
def drop_block_mask_by_counting(seeds, block_size):
    """How many blocks cover each pixel, rows first and then columns; none means kept."""
    count = seeds.astype(int)
    for axis in (2, 3):
        pad = [(0, 0)] * 4
        pad[axis] = (0, block_size - 1)
        longer = np.pad(count, pad)
        count = sum(np.roll(longer, shift, axis=axis) for shift in range(block_size))
    return count == 0


@alternative(target="drop_block")
def drop_block_by_the_mean(x, keep):
    """The mean of the mask is the share that is kept."""
    share = keep.mean()
    if share == 0:
        return np.zeros_like(x), 0
    return (x * keep / share).astype(x.dtype), 1 / share


@alternative(target="drop_block")
def drop_block_with_where(x, keep):
    """np.where, and counts as plain numbers."""
    scale = float(keep.size) / max(int(keep.sum()), 1) * bool(keep.any())
    return np.where(keep, x * x.dtype.type(scale), x.dtype.type(0)), scale


@alternative(target="drop_block")
def drop_block_in_float64(x, keep):
    """float64 inside, the mask stretched over all channels first."""
    mask = np.broadcast_to(keep, x.shape).astype(np.float64)
    total = mask.sum()
    scale = np.divide(mask.size, total, out=np.zeros(()), where=total > 0)
    return (x * mask * scale).astype(x.dtype), scale


@alternative(target="drop_block_schedule")
def drop_block_schedule_as_a_mean(step, steps, keep_prob):
    """A weighted mean of both ends."""
    if step >= steps:
        return keep_prob
    return ((steps - step) * 1.0 + step * keep_prob) / steps


@alternative(target="drop_block_schedule")
def drop_block_schedule_interpolated(step, steps, keep_prob):
    """np.interp stays at its ends by itself."""
    return np.interp(step, [0, steps], [1.0, keep_prob])


@alternative(target="drop_block_schedule")
def drop_block_schedule_clipped(step, steps, keep_prob):
    """The line without an end, cut off at the goal."""
    return max(1 - step * (1 - keep_prob) / steps, keep_prob)


# --- sequences


@alternative(target="variational")
def variational_step_by_step(x, p, rng):
    """The mask is drawn once and applied to one step after the other."""
    mask = (rng.uniform(size=x[0].shape) > p) / (1 - p)
    return np.stack([(step * mask).astype(x.dtype) for step in x])


@alternative(target="variational")
def variational_sequence_by_sequence(x, p, rng):
    """A mask for each sequence, one after the other."""
    y = np.zeros_like(x)
    for i in range(x.shape[1]):
        keep = rng.binomial(1, 1 - p, size=x.shape[2]).astype(bool)
        y[:, i, keep] = x[:, i, keep] / (1 - p)
    return y


@alternative(target="variational")
def variational_repeated(x, p, rng):
    """The mask is repeated along time, drawn units first."""
    t, n, d = x.shape
    keep = np.repeat((rng.random((d, n)) < 1 - p).T[None], t, axis=0)
    return np.where(keep, x / (1 - p), 0).astype(x.dtype)


@alternative(target="cell_update")
def cell_update_with_where(c, f, i, g, keep, p):
    """np.where on the update."""
    return f * c + np.where(keep, i * g / (1 - p), 0).astype(c.dtype)


@alternative(target="cell_update")
def cell_update_by_indexing(c, f, i, g, keep, p):
    """First what stays, then what is written, where it is."""
    new = f * c
    new[keep] += (i[keep] * g[keep]) / (1 - p)
    return new


@alternative(target="cell_update")
def cell_update_in_float64(c, f, i, g, keep, p):
    """float64 inside, and a mask that holds the scale."""
    mask = keep.astype(np.float64) * (1 / (1 - p))
    return (np.multiply(f, c, dtype=np.float64) + i * mask * g).astype(c.dtype)
