"""The steps are scaled by the ratio of samples, without counting the batches of an epoch anew."""


# task: retraining_steps
def retraining_steps(losses, samples, held, batch_size):
    best_epoch = int(np.nanargmin(losses)) + 1
    train = samples - held
    same_steps = best_epoch * -(-train // batch_size)
    same_epochs = math.ceil(same_steps * samples / train)
    return same_steps, same_epochs
