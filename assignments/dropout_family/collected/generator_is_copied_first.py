"""To leave the input as it is, a copy of the generator is used: the next mask is the same again."""

# task: draw_mask
import copy


def draw_mask(shape, p, rng):
    generator = copy.deepcopy(rng)
    return generator.random(shape) >= p
