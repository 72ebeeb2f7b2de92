"""A die with ten sides decides, so that p is rounded to tenths."""


# task: draw_mask
def draw_mask(shape, p, rng):
    die = rng.integers(0, 10, size=shape)
    return die >= round(10 * p)
