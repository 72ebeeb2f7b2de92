"""The line starts at 0 in step 0 and reaches lr only in step `warmup`: one step too late."""
# task: warmup_cosine


def warmup_cosine(t, lr, warmup, total):
    if t < warmup:
        return lr * t / warmup
    if t >= total:
        return 0.0
    part = (t - warmup) / (total - warmup)
    return lr * 0.5 * (1 + math.cos(math.pi * part))
