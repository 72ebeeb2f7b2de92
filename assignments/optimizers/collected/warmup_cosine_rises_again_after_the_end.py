"""Steps after `total` are not treated apart, and the cosine comes up again."""
# task: warmup_cosine


def warmup_cosine(t, lr, warmup, total):
    if t < warmup:
        rate = (t + 1) / warmup * lr
    else:
        angle = math.pi * (t - warmup) / (total - warmup)
        rate = lr * (1 + math.cos(angle)) / 2
    return rate
