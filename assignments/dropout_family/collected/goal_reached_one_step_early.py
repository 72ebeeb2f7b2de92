"""A table with one row per step from 1 to the goal: the goal is reached after steps - 1 steps."""


# task: drop_block_schedule
def drop_block_schedule(step, steps, keep_prob):
    table = np.linspace(1.0, keep_prob, steps)
    return float(table[min(step, steps - 1)])
