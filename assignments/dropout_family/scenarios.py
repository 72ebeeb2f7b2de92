"""What runs beside the student's code: several calls with one generator, and numbers as arrays."""

import numpy as np

from minidl.grading.scenario import scenario


@scenario(task="draw_mask", returns=("keep",))
def masks_in_a_row(draw_mask, shape, p, count, rng):
    """Draw several masks with one generator: keep, (count, *shape)."""
    return np.array([draw_mask(shape, p, rng) for _ in range(count)])


@scenario(task="drop_block_gamma", returns=("gamma",))
def gammas(drop_block_gamma, keep_probs, block_size, h, w):
    """Work out gamma for several probabilities of keeping."""
    return np.array([float(drop_block_gamma(float(q), block_size, h, w)) for q in keep_probs])


@scenario(task="drop_block", returns=("y", "scale"))
def drop_block_once(drop_block, x, keep):
    """Drop blocks: y, and the scale as an array without axes."""
    y, scale = drop_block(x, keep)
    return y, np.asarray(scale, dtype=np.float64)


@scenario(task="drop_block_schedule", returns=("keep_prob",))
def schedule(drop_block_schedule, taken, steps, keep_prob):
    """Ask for the share to keep after each number of steps taken."""
    return np.array([float(drop_block_schedule(int(t), steps, keep_prob)) for t in taken])
