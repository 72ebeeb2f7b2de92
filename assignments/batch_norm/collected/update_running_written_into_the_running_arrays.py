"""Updates with augmented assignments, so the arrays of the caller are changed."""
# task: update_running


def update_running(running_mean, running_var, mean, var, m, momentum):
    unbiased = var * (m / (m - 1))
    running_mean += momentum * (mean - running_mean)
    running_var += momentum * (unbiased - running_var)
    return running_mean, running_var
