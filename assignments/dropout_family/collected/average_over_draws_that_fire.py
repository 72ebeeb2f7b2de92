"""The average is taken over the positive draws only, as though the silent ones did not count."""


# task: drop_connect_inference
def drop_connect_inference(mean, variance, noise):
    z = mean + np.sqrt(variance) * noise
    fires = z > 0
    total = np.where(fires, z, 0).sum(axis=0)
    count = np.maximum(fires.sum(axis=0), 1)
    return (total / count).astype(mean.dtype)
