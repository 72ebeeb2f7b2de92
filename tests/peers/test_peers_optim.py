"""Every optimizer agrees with PyTorch's over ten steps, and their states travel both ways."""

import inspect
from itertools import product

import numpy as np
import pytest
from peers.agreement import assert_agree

from minidl import optim
from minidl.nn import Parameter

pytestmark = pytest.mark.peers

SGD = [
    {"lr": 0.05, "momentum": m, "dampening": d, "weight_decay": w, "nesterov": n}
    for m, d, w, n in product([0.0, 0.9], [0.0, 0.3], [0.0, 0.2], [False, True])
    if not n or (m and not d)
]
ADAM = [
    {"lr": 0.02, "betas": b, "eps": e, "weight_decay": w}
    for b, e, w in product([(0.9, 0.999), (0.6, 0.8), (0.0, 0.0)], [1e-8, 1e-2], [0.0, 0.1])
]
OTHERS = [
    ("SGD", {"lr": 0.04, "momentum": 0.9, "maximize": True}),
    ("Adam", {"lr": 0.02, "amsgrad": True, "betas": (0.9, 0.5)}),
    ("Adam", {"lr": 0.02, "amsgrad": True, "weight_decay": 0.1, "maximize": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "betas": (0.6, 0.8)}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True, "maximize": True}),
    ("Adamax", {}),
    ("Adamax", {"betas": (0.6, 0.8), "eps": 0.1, "weight_decay": 0.2, "maximize": True}),
    ("Adagrad", {}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.3, "initial_accumulator_value": 0.2, "eps": 0.1}),
    ("Adagrad", {"lr": 0.1, "weight_decay": 0.3, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.3, "rho": 0.6, "eps": 0.1, "weight_decay": 0.3, "maximize": True}),
    ("RMSprop", {}),
    ("RMSprop", {"alpha": 0.8, "eps": 0.1, "weight_decay": 0.3, "maximize": True}),
    ("RMSprop", {"alpha": 0.8, "centered": True, "eps": 0.01}),
    ("RMSprop", {"alpha": 0.8, "momentum": 0.9}),
    ("RMSprop", {"alpha": 0.8, "momentum": 0.9, "centered": True, "eps": 0.01}),
]
CASES = [
    *(("SGD", {}), ("Adam", {}), *OTHERS),
    *(("SGD", o) for o in SGD),
    *(("Adam", o) for o in ADAM),
]
SOME = [("SGD", {}), ("Adam", {}), ("SGD", SGD[-1]), ("Adam", ADAM[5]), *OTHERS[1::2], OTHERS[8]]
SHAPES = [(3, 4), (5,), (), (2, 1, 3, 2)]


def label(case):
    name, options = case
    return " ".join([name, *(f"{k}={v}" for k, v in options.items() if v)])


some = pytest.mark.parametrize("case", SOME, ids=label)


class Pair:
    """The same parameters here and there, under the same optimizer."""

    def __init__(self, torch, case, dtype, groups=()):
        kind, options = case
        rng = np.random.default_rng(2)
        self.torch, self.rng, self.dtype = torch, rng, dtype
        arrays = [np.asarray(rng.normal(size=s)).astype(dtype) for s in SHAPES]
        self.mine = [Parameter(a.copy()) for a in arrays]
        self.peers = [torch.nn.Parameter(torch.tensor(a)) for a in arrays]
        self.optimizer = getattr(optim, kind)(self.grouped(self.mine, groups), **options)
        self.peer = getattr(torch.optim, kind)(self.grouped(self.peers, groups), **options)

    @staticmethod
    def grouped(parameters, groups):
        """Parameters as they are, or the first of them, and the rest, with the given options."""
        if not groups:
            return parameters
        halves = (parameters[:1], parameters[1:])
        return [{"params": p, **o} for p, o in zip(halves, groups, strict=True)]

    def steps(self, count, skip=None, scale=1.0):
        """Take steps under the same random gradients; the parameter `skip` gets none."""
        for _ in range(count):
            for i, (mine, peer) in enumerate(zip(self.mine, self.peers, strict=True)):
                grad = np.asarray(self.rng.normal(size=mine.shape) * scale).astype(self.dtype)
                mine.grad = None if i == skip else grad
                peer.grad = None if i == skip else self.torch.tensor(grad)
            self.optimizer.step()
            self.peer.step()
            self.assert_agree()

    def assert_agree(self):
        """The parameters, and everything the two optimizers keep for each."""
        for mine, peer in zip(self.mine, self.peers, strict=True):
            assert_agree(mine.data, peer.detach().numpy(), self.dtype)
        ours, theirs = (o.state_dict()["state"] for o in (self.optimizer, self.peer))
        for i, state in theirs.items():
            assert set(ours[i]) == set(state)
            for key, value in state.items():
                if key == "step":
                    assert isinstance(ours[i][key], int)
                    assert ours[i][key] == value.item()
                else:
                    assert_agree(ours[i][key], value.numpy(), self.dtype, f"{key} of {i}")


@pytest.mark.parametrize("case", CASES, ids=label)
def test_ten_steps(torch, case, dtype):
    pair = Pair(torch, case, dtype)
    before = [p.data.copy() for p in pair.mine]
    pair.steps(10)
    assert all(not np.array_equal(p.data, b) for p, b in zip(pair.mine, before, strict=True))


@some
def test_groups_with_options_of_their_own(torch, case, dtype):
    pair = Pair(torch, case, dtype, [{"weight_decay": 0.3}, {"lr": 0.3}])
    pair.steps(10)


@some
def test_a_learning_rate_that_changes_acts_at_once(torch, case, dtype):
    pair = Pair(torch, case, dtype)
    for lr in (0.1, 0.01, 0.0, 0.3):
        pair.optimizer.param_groups[0]["lr"] = pair.peer.param_groups[0]["lr"] = lr
        pair.steps(2)


@some
def test_parameters_without_a_gradient_are_left_alone(torch, case, dtype):
    pair = Pair(torch, case, dtype)
    pair.steps(3)
    pair.steps(2, skip=1)
    pair.steps(2)


@some
@pytest.mark.parametrize("scale", [0.0, 1e-9, 1e4])
def test_gradients_of_any_size(torch, case, scale, dtype):
    """Zero, and of the order of Adam's epsilon, where its place shows."""
    Pair(torch, case, dtype).steps(10, scale=scale)


def fresh_after(pair, torch, case, dtype, groups):
    """A pair with new optimizers and the parameters that `pair` has reached."""
    fresh = Pair(torch, case, dtype, groups)
    for mine, peer, other in zip(fresh.mine, fresh.peers, pair.mine, strict=True):
        mine.data = other.data.copy()
        peer.data = torch.tensor(other.data)
    return fresh


def as_tensors(torch, saved):
    """minidl's saved state with PyTorch's tensors in it, and otherwise as it is."""
    state = {i: {k: torch.tensor(v) for k, v in s.items()} for i, s in saved["state"].items()}
    return {**saved, "state": state}


def as_arrays(saved):
    """PyTorch's saved state with arrays in it, and otherwise as it is."""
    state = {i: {k: v.numpy() for k, v in s.items()} for i, s in saved["state"].items()}
    return {**saved, "state": state}


@pytest.mark.parametrize("case", [*SOME, ("SGD", {"lr": 0.1, "momentum": 0.5})], ids=label)
@pytest.mark.parametrize("groups", [(), ({"lr": 0.2}, {"weight_decay": 0.3})], ids=["one", "two"])
@pytest.mark.parametrize("convert", [True, False], ids=["arrays", "tensors"])
def test_states_travel_both_ways(torch, case, groups, convert, dtype):
    """Each optimizer goes on from where the other stopped, with the other's options."""
    pair = Pair(torch, case, dtype, groups)
    pair.steps(4)
    other = (case[0], {"lr": 0.77})
    fresh = fresh_after(pair, torch, other, dtype, groups)
    theirs, ours = pair.peer.state_dict(), pair.optimizer.state_dict()
    fresh.optimizer.load_state_dict(as_arrays(theirs) if convert else theirs)
    fresh.peer.load_state_dict(as_tensors(torch, ours))
    pair.steps(3)
    fresh.rng = np.random.default_rng(2)
    fresh.steps(3)
    fresh.assert_agree()


@pytest.mark.parametrize("case", [SOME[2], SOME[3], OTHERS[-1]], ids=label)
def test_a_loaded_state_takes_the_parameters_type(torch, case):
    """A float64 state under float32 parameters: both convert it and stay with float32."""
    pair = Pair(torch, case, "float64")
    pair.steps(3)
    fresh = fresh_after(pair, torch, case, "float32", ())
    for mine, peer in zip(fresh.mine, fresh.peers, strict=True):
        mine.data = mine.data.astype(np.float32)
        peer.data = peer.data.float()
    fresh.optimizer.load_state_dict(as_arrays(pair.peer.state_dict()))
    fresh.peer.load_state_dict(pair.peer.state_dict())
    fresh.steps(3)


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_arguments_and_defaults_are_pytorchs(torch, name):
    ours = inspect.signature(getattr(optim, name)).parameters
    theirs = inspect.signature(getattr(torch.optim, name)).parameters
    shared = [argument for argument in ours if argument != "unit_correction"]
    assert shared == [argument for argument in theirs if argument in ours]
    for argument in shared:
        assert ours[argument].default == theirs[argument].default, argument


@pytest.mark.parametrize("norm_type", [2.0, 1.0, 0.7, float("inf")])
@pytest.mark.parametrize("max_norm", [0.0, 0.5, 3.0, 1e6])
def test_clipping_by_norm(torch, max_norm, norm_type, dtype):
    pair = Pair(torch, ("SGD", {}), dtype)
    pair.steps(1)
    norm = optim.clip_grad_norm_(pair.mine, max_norm, norm_type)
    wanted = torch.nn.utils.clip_grad_norm_(pair.peers, max_norm, norm_type)
    np.testing.assert_allclose(norm, wanted.item(), rtol=1e-10 if dtype == "float64" else 1e-6)
    for mine, peer in zip(pair.mine, pair.peers, strict=True):
        assert_agree(mine.grad, peer.grad.numpy(), dtype)


def test_clipping_by_value(torch, dtype):
    pair = Pair(torch, ("SGD", {}), dtype)
    pair.steps(1)
    optim.clip_grad_value_(pair.mine, 0.4)
    torch.nn.utils.clip_grad_value_(pair.peers, 0.4)
    for mine, peer in zip(pair.mine, pair.peers, strict=True):
        assert_agree(mine.grad, peer.grad.numpy(), dtype)
