"""Plausible wrong solutions that are another function, rather than a patch of the right one."""

import numpy as np

from minidl.grading.mistake import mistake


@mistake(
    target="forward",
    question="Which dtype does np.zeros give you when you do not ask for one?",
)
def float64_from_empty_arrays(x, gamma, beta, eps):
    """The results were written into arrays of NumPy's default dtype, so float32 came back as
    float64.
    """
    n, c, s = x.shape
    y, x_hat = np.zeros((n, c, s)), np.zeros((n, c, s))
    inv_std, mean, var = np.zeros(c), np.zeros(c), np.zeros(c)
    for k in range(c):
        if n * s:
            mean[k] = x[:, k].astype(float).mean()
            var[k] = x[:, k].astype(float).var()
        inv_std[k] = 1 / np.sqrt(var[k] + eps)
        x_hat[:, k] = (x[:, k] - mean[k]) * inv_std[k]
        y[:, k] = gamma[k] * x_hat[:, k] + beta[k]
    return y, x_hat, inv_std, mean, var


@mistake(
    target="backward",
    question="In (x - mean) * inv_std, which two factors depend on x, besides x itself?",
)
def gradient_of_the_standardized_values_only(dy, x_hat, inv_std, gamma):
    """The gradient stops at x_hat: the last step back, from x_hat to x, has not been taken."""
    dbeta = dy.sum(axis=(0, 2))
    dgamma = (dy * x_hat).sum(axis=(0, 2))
    return dy * gamma[:, None], dgamma, dbeta


@mistake(
    target="backward",
    question="How many values of x share one mean and one variance?",
)
def gradient_means_over_the_batch_only(dy, x_hat, inv_std, gamma):
    """The means in dx run over the batch but not over space, so each position has been treated
    as a channel of its own.
    """
    dbeta = dy.sum(axis=(0, 2))
    dgamma = (dy * x_hat).sum(axis=(0, 2))
    g = dy * gamma[:, None]
    if not len(dy):
        return g, dgamma, dbeta
    through_mean = g.mean(axis=0, keepdims=True)
    through_var = x_hat * (g * x_hat).mean(axis=0, keepdims=True)
    return (g - through_mean - through_var) * inv_std[:, None], dgamma, dbeta


@mistake(
    target="inference",
    question="What would the answer for one image depend on, if it came in alone?",
)
def inference_with_batch_statistics(x, gamma, beta, mean, var, eps):
    """The statistics were computed afresh from this batch; inference uses the ones that are
    given.
    """
    if not len(x):
        return x
    mean, var = x.mean(axis=(0, 2)), x.var(axis=(0, 2))
    x_hat = (x - mean[:, None]) / np.sqrt(var + eps)[:, None]
    return gamma[:, None] * x_hat + beta[:, None]


@mistake(
    target="update_running",
    question="How large is the error of a single batch's mean, beside that of many?",
)
def only_the_last_batch(running_mean, running_var, mean, var, m, momentum):
    """The batch's statistics replace the running ones: nothing of the past is kept."""
    return mean * 1.0, var * (m / (m - 1))
