"""PyTorch, for the tests that compare with it, and the kernels to compare."""

import pytest

from minidl import backend

TELLINGS = [t for t in backend.TELLINGS if not isinstance(backend.load("conv2d", t), str)]


@pytest.fixture(scope="session")
def torch():
    """PyTorch on one thread; these tests fail where it is not installed."""
    import torch

    torch.set_num_threads(1)
    return torch


@pytest.fixture(params=["float64", "float32"])
def dtype(request):
    """The floating type of a test's arrays."""
    return request.param


@pytest.fixture(params=TELLINGS)
def telling(request):
    """Each telling of the kernels in turn; a test that asks for it must have called one."""
    with backend.use(request.param) as used:
        yield request.param
    assert used.calls, f"no kernel of {request.param} ran"
