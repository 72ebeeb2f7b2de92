"""PyTorch, for the tests that compare with it."""

import pytest


@pytest.fixture(scope="session")
def torch():
    """PyTorch on one thread; these tests fail where it is not installed."""
    import torch

    torch.set_num_threads(1)
    return torch
