"""Exactly the share p is dropped by a random permutation, so the values hang on one another."""


# task: draw_mask
def draw_mask(shape, p, rng):
    size = int(np.prod(shape))
    keep = np.ones(size, dtype=bool)
    dropped = rng.permutation(size)[: round(p * size)]
    keep[dropped] = False
    return keep.reshape(shape)
