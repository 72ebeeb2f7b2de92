"""Only the width enters, as in code that was written for square maps."""


# task: drop_block_gamma
def drop_block_gamma(keep_prob: float, block_size: int, h: int, w: int) -> float:
    if keep_prob == 0:
        return 1.0
    feat_size = w
    gamma = (1.0 - keep_prob) * feat_size**2 / block_size**2
    gamma /= (feat_size - block_size + 1) ** 2
    return float(min(gamma, 1.0))
