"""How the checks use classes, and functions that return plain numbers.

Weights are changed as training changes them: the first array in place, the second by putting a
fresh array into the list.
"""

import numpy as np

from minidl.grading.scenario import scenario


@scenario(task="early_stopping", returns=("stops", "best", "best_step", "waited"))
def watch(EarlyStopping, values, patience, min_delta, mode):
    """Feed a series of values; note after each whether it stops, and the attributes."""
    stopper = EarlyStopping(patience, min_delta, mode)
    stops, best, best_step, waited = [], [], [], []
    for value in values:
        stops.append(bool(stopper.update(float(value), [np.zeros(2)])))
        best.append(np.nan if stopper.best is None else float(stopper.best))
        best_step.append(int(stopper.best_step))
        waited.append(int(stopper.waited))
    return np.array(stops), np.array(best), np.array(best_step), np.array(waited)


@scenario(task="early_stopping", returns=("first", "second", "listed"))
def restored(EarlyStopping, values, path, patience, one_list):
    """Train until it stops, take one step more, and restore; with one list of arrays, or several.

    Returns both arrays as the model holds them, and the first one as the list does.
    """
    stopper = EarlyStopping(patience)
    first = np.zeros(3)
    weights = [first, np.zeros((2, 2))]
    for value, row in zip(values, path[:-1], strict=True):
        first[...] = row[:3]
        weights[1] = row[3:].reshape(2, 2).copy()
        if stopper.update(float(value), weights if one_list else list(weights)):
            break
    first[...] = path[-1, :3]
    weights[1] = second = path[-1, 3:].reshape(2, 2).copy()
    stopper.restore(weights)
    return first, second, weights[0]


@scenario(task="retraining_steps", returns=("same_steps", "same_epochs"))
def plan(retraining_steps, losses, samples, held, batch_size):
    """Ask for both numbers of steps."""
    same_steps, same_epochs = retraining_steps(losses, samples, held, batch_size)
    return np.array(int(same_steps)), np.array(int(same_epochs))


@scenario(task="keep_best", returns=("losses", "first", "second", "kept"))
def keep(KeepBest, losses, path, k):
    """Offer weights one after the other; return what is kept in the end, and every answer."""
    keeper = KeepBest(k)
    weights, kept = [np.zeros(3), np.zeros(2)], []
    for loss, row in zip(losses, path, strict=True):
        weights[0][...] = row[:3]
        weights[1] = row[3:].copy()
        kept.append(bool(keeper.add(float(loss), weights)))
    weights[0][...] = 0.0
    first = np.array([snapshot[0] for snapshot in keeper.snapshots])
    second = np.array([snapshot[1] for snapshot in keeper.snapshots])
    return np.array(keeper.losses, float), first, second, np.array(kept)


@scenario(task="swa", returns=("taken", "first", "second"))
def walk(SWA, path, start, every, touch=False):
    """Offer the weights after each epoch; note the mean, NaN while there is none, and touch it."""
    swa = SWA(start) if every == 1 else SWA(start, every)
    weights = [np.zeros_like(path[0, :3]), path[0, 3:].copy()]
    taken, first, second = [], [], []
    for epoch, row in enumerate(path, start=1):
        weights[0][...] = row[:3]
        weights[1] = row[3:].copy()
        swa.update(epoch, weights)
        average = swa.average()
        taken.append(int(swa.taken))
        first.append(average[0].copy() if average else np.full_like(row[:3], np.nan))
        second.append(average[1].copy() if average else np.full_like(row[3:], np.nan))
        for array in average if touch else []:
            array += 1.0
    return np.array(taken), np.array(first), np.array(second)


@scenario(task="ema", returns=("first", "second"))
def follow(EMA, path, decay, touch=False):
    """Offer the weights after each step; note the average, and touch it."""
    ema = EMA(decay)
    weights = [np.zeros_like(path[0, :3]), path[0, 3:].copy()]
    first, second = [], []
    for row in path:
        weights[0][...] = row[:3]
        weights[1] = row[3:].copy()
        ema.update(weights)
        average = ema.average()
        first.append(average[0].copy())
        second.append(average[1].copy())
        for array in average if touch else []:
            array += 1.0
    return np.array(first), np.array(second)


@scenario(task="ensemble_variance", returns=("variance", "correlation", "predicted"))
def measure(ensemble_variance, errors, sizes):
    """Ask for the three results; plain numbers become arrays."""
    variance, correlation, predicted = ensemble_variance(errors, sizes)
    return np.array(float(variance)), np.array(float(correlation)), predicted
