"""The factor m / (m - 1) is put on the new running variance as a whole, so the old part is enlarged
again in every step."""
# task: update_running


def update_running(running_mean, running_var, mean, var, m, momentum):
    keep = 1 - momentum
    new_mean = keep * running_mean + momentum * mean
    new_var = (keep * running_var + momentum * var) * (m / (m - 1))
    return new_mean, new_var
