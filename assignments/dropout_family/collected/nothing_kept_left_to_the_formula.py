"""It is hoped that the bound of 1 also serves keep_prob 0, where the formula may give less."""


# task: drop_block_gamma
def drop_block_gamma(keep_prob: float, block_size: int, h: int, w: int) -> float:
    places = (h - block_size + 1) * (w - block_size + 1)
    seeds = (1 - keep_prob) * h * w / block_size**2
    return min(1.0, seeds / places)
