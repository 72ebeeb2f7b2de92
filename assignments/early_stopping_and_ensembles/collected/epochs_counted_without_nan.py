"""NaN losses are removed before the lowest is looked up, so the epochs after them move forward."""


# task: retraining_steps
def retraining_steps(losses, samples, held, batch_size):
    losses = np.asarray(losses)
    valid = losses[~np.isnan(losses)]
    epochs = int(np.argmin(valid)) + 1
    same_steps = epochs * math.ceil((samples - held) / batch_size)
    same_epochs = epochs * math.ceil(samples / batch_size)
    return same_steps, same_epochs
