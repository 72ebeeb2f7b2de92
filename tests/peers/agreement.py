"""Run minidl and its PyTorch peer on the same arrays, and compare values and gradients."""

import numpy as np

from minidl.tensor import Tensor

DTYPES = ["float64", "float32"]


def normal(*shape, seed=0):
    """Standard normal float64 values, the same for the same shape and seed."""
    return np.random.default_rng([seed, *shape]).normal(size=shape)


def assert_agree(got, want, dtype, what="value", rtol=1e-10):
    """float64: 1e-10 element by element. float32: 2e-5 of the largest value."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: {got.shape} and {want.shape}"
    assert got.dtype == want.dtype == np.dtype(dtype), f"{what}: {got.dtype} and {want.dtype}"
    largest = np.abs(want[np.isfinite(want)]).max(initial=0.0)
    if np.dtype(dtype) == np.float64:
        # The absolute part is for sums that cancel: what is left of them has their terms' error.
        atol = rtol * min(max(largest, 1e-3), 1.0)
        np.testing.assert_allclose(got, want, rtol=rtol, atol=atol, err_msg=what)
    else:
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * largest, err_msg=what)


def compare(torch, ours, theirs, arrays, dtype, seed=0, frozen=()):
    """Compare the value, and every gradient under a random upstream gradient.

    Floating arrays become `dtype` and require a gradient, but for those at the places in `frozen`;
    other arrays and None are handed over as they are.
    """
    arrays = [a.astype(dtype) if a is not None and a.dtype.kind == "f" else a for a in arrays]
    needs = [
        a is not None and a.dtype.kind == "f" and i not in frozen for i, a in enumerate(arrays)
    ]
    pairs = list(zip(arrays, needs, strict=True))
    mine = [None if a is None else Tensor(a.copy(), need) for a, need in pairs]
    peers = [None if a is None else torch.tensor(a, requires_grad=need) for a, need in pairs]
    y, z = ours(*mine), theirs(*peers)
    assert_agree(y.data, z.detach().numpy(), dtype)
    upstream = np.random.default_rng(seed).normal(size=y.shape).astype(dtype)
    y.backward(upstream)
    z.backward(torch.tensor(upstream))
    for i, (a, b) in enumerate(zip(mine, peers, strict=True)):
        if needs[i]:
            assert_agree(a.grad, b.grad.numpy(), dtype, f"gradient of argument {i}")
        elif a is not None:
            assert a.grad is None
        if a is not None:
            np.testing.assert_array_equal(a.data, arrays[i], f"argument {i} was written to")
    return y, z
