"""Run minidl and its PyTorch peer on the same arrays, and compare values and gradients."""

import numpy as np

from minidl.tensor import Tensor

DTYPES = ["float64", "float32"]


def assert_agree(got, want, dtype, what="value"):
    """float64: 1e-10 element by element. float32: 2e-5 of the largest value."""
    got, want = np.asarray(got), np.asarray(want)
    assert got.shape == want.shape, f"{what}: {got.shape} and {want.shape}"
    assert got.dtype == want.dtype == np.dtype(dtype), f"{what}: {got.dtype} and {want.dtype}"
    if np.dtype(dtype) == np.float64:
        np.testing.assert_allclose(got, want, rtol=1e-10, atol=1e-10, err_msg=what)
    else:
        largest = np.abs(want[np.isfinite(want)]).max(initial=1e-30)
        np.testing.assert_allclose(got, want, rtol=0, atol=2e-5 * largest, err_msg=what)


def compare(torch, ours, theirs, arrays, dtype, seed=0):
    """Compare the value, and every gradient under a random upstream gradient."""
    arrays = [a.astype(dtype) if a is not None and a.dtype.kind == "f" else a for a in arrays]
    mine = [None if a is None else _tensor(a.copy()) for a in arrays]
    peers = [None if a is None else _peer(torch, a.copy()) for a in arrays]
    y, z = ours(*mine), theirs(*peers)
    assert_agree(y.data, z.detach().numpy(), dtype)
    upstream = np.random.default_rng(seed).normal(size=y.shape).astype(dtype)
    y.backward(upstream)
    z.backward(torch.from_numpy(upstream))
    for i, (a, b) in enumerate(zip(mine, peers, strict=True)):
        if a is not None and a.requires_grad:
            assert_agree(a.grad, b.grad.numpy(), dtype, f"gradient of argument {i}")
    return y, z


def _tensor(array):
    return Tensor(array, requires_grad=array.dtype.kind == "f")


def _peer(torch, array):
    return torch.tensor(array, requires_grad=array.dtype.kind == "f")
