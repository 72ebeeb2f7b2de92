"""Every optimizer agrees with PyTorch's over ten steps, and their states travel both ways."""

import numpy as np
import pytest
from peers.agreement import DTYPES, assert_agree

from minidl import optim
from minidl.nn import Parameter

pytestmark = [pytest.mark.peers, pytest.mark.parametrize("dtype", DTYPES)]

CASES = {
    "SGD": ("SGD", {"lr": 0.1}),
    "SGD decay": ("SGD", {"lr": 0.1, "weight_decay": 0.2}),
    "SGD momentum": ("SGD", {"lr": 0.05, "momentum": 0.9}),
    "SGD dampening": ("SGD", {"lr": 0.05, "momentum": 0.8, "dampening": 0.3}),
    "SGD everything": ("SGD", {"lr": 0.05, "momentum": 0.8, "dampening": 0.1, "weight_decay": 0.1}),
    "SGD Nesterov": ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "Adam": ("Adam", {}),
    "Adam decay": ("Adam", {"lr": 0.02, "weight_decay": 0.1}),
    "Adam betas": ("Adam", {"lr": 0.02, "betas": (0.6, 0.8), "eps": 1e-3}),
    "Adam without memory": ("Adam", {"lr": 0.02, "betas": (0.0, 0.0)}),
}
SHAPES = [(3, 4), (5,), ()]


class Pair:
    """The same parameters here and there, under the same optimizer."""

    def __init__(self, torch, name, dtype, groups=False):
        kind, options = CASES[name]
        rng = np.random.default_rng(2)
        self.torch, self.rng, self.dtype = torch, rng, dtype
        arrays = [np.asarray(rng.normal(size=s)).astype(dtype) for s in SHAPES]
        self.mine = [Parameter(a.copy()) for a in arrays]
        self.peers = [torch.nn.Parameter(torch.tensor(a)) for a in arrays]
        self.optimizer = getattr(optim, kind)(self.grouped(self.mine, groups), **options)
        self.peer = getattr(torch.optim, kind)(self.grouped(self.peers, groups), **options)

    @staticmethod
    def grouped(parameters, groups):
        if not groups:
            return parameters
        return [{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.3}]

    def steps(self, count, skip=None):
        for _ in range(count):
            for i, (mine, peer) in enumerate(zip(self.mine, self.peers, strict=True)):
                grad = np.asarray(self.rng.normal(size=mine.shape)).astype(self.dtype)
                mine.grad = None if i == skip else grad
                peer.grad = None if i == skip else self.torch.tensor(grad)
            self.optimizer.step()
            self.peer.step()

    def assert_agree(self):
        for mine, peer in zip(self.mine, self.peers, strict=True):
            assert_agree(mine.data, peer.detach().numpy(), self.dtype)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("groups", [False, True])
def test_ten_steps(torch, name, groups, dtype):
    pair = Pair(torch, name, dtype, groups)
    before = [p.data.copy() for p in pair.mine]
    pair.steps(10)
    pair.assert_agree()
    assert all(not np.array_equal(p.data, b) for p, b in zip(pair.mine, before, strict=True))


@pytest.mark.parametrize("name", ["SGD Nesterov", "Adam decay"])
def test_parameters_without_a_gradient_are_left_alone(torch, name, dtype):
    pair = Pair(torch, name, dtype)
    pair.steps(3)
    pair.steps(2, skip=1)
    pair.steps(2)
    pair.assert_agree()


@pytest.mark.parametrize("name", ["SGD Nesterov", "Adam betas"])
def test_states_travel_both_ways(torch, name, dtype):
    pair, fresh = Pair(torch, name, dtype), Pair(torch, name, dtype)
    pair.steps(4)
    for mine, peer, other in zip(fresh.mine, fresh.peers, pair.mine, strict=True):
        mine.data = other.data.copy()
        peer.data = torch.tensor(other.data.copy())
    theirs, ours = pair.peer.state_dict(), pair.optimizer.state_dict()
    assert set(ours["state"]) == set(theirs["state"])
    assert set(ours["state"][0]) == set(theirs["state"][0])
    fresh.optimizer.load_state_dict(
        {
            "state": {i: {k: _array(v) for k, v in s.items()} for i, s in theirs["state"].items()},
            "param_groups": ours["param_groups"],
        }
    )
    fresh.peer.load_state_dict(
        {
            "state": {
                i: {k: torch.tensor(v) for k, v in s.items()} for i, s in ours["state"].items()
            },
            "param_groups": theirs["param_groups"],
        }
    )
    fresh.steps(3)
    fresh.assert_agree()


def _array(value):
    return value.item() if value.ndim == 0 and value.dtype.is_floating_point else value.numpy()
