"""All gradients get one factor, but it comes from the longest one of them instead of all
together."""
# task: clip_norm


def clip_norm(grads, max_norm, eps):
    norms = [float(np.linalg.norm(g.ravel())) for g in grads]
    longest = max(norms, default=0.0)
    scale = max_norm / (longest + eps) if longest + eps > max_norm else 1.0
    return [scale * g for g in grads]
