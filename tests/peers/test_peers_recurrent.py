"""Recurrent layers, their cells, padded sequences and embeddings agree with PyTorch's."""

import numpy as np
import pytest
from peers.agreement import assert_agree, compare, normal
from peers.networks import to_torch

from minidl.tensor import Tensor
from minidl import functional as F
from minidl import nn

pytestmark = pytest.mark.peers

KINDS = {
    "RNN": {},
    "RNN relu": {"nonlinearity": "relu"},
    "GRU": {},
    "LSTM": {},
}
SHAPES = {
    "plain": {},
    "deep": {"num_layers": 3},
    "both ways": {"bidirectional": True},
    "deep, both ways, without bias": {"num_layers": 2, "bidirectional": True, "bias": False},
    "batch first": {"batch_first": True, "num_layers": 2, "bidirectional": True},
}
STEPS, N, INPUTS, D = 5, 4, 3, 6


def pair(torch, kind, dtype, inputs=INPUTS, **options):
    """The layer of one name in both libraries, with equal weights."""
    name = kind.split()[0]
    options = {**KINDS[kind], **options}
    mine, peer = (
        getattr(nn, name)(inputs, D, **options),
        getattr(torch.nn, name)(inputs, D, **options),
    )
    to_torch(torch, mine, peer)
    assert list(mine.state_dict()) == list(peer.state_dict())
    return mine.astype(dtype), peer.to(getattr(torch, dtype))


def flat(result):
    """(output, h_n) or (output, (h_n, c_n)) as a list."""
    output, states = result
    return [output, *(states if isinstance(states, tuple) else (states,))]


def both(torch, mine, peer, x, states, dtype, run=None):
    """Compare all results, and all gradients under random upstream gradients of each result."""
    run = (lambda y, hx: peer(y, hx)) if run is None else run
    x, states = x.astype(dtype), [state.astype(dtype) for state in states]
    ours = [Tensor(a.copy(), requires_grad=True) for a in (x, *states)]
    theirs = [torch.tensor(a, requires_grad=True) for a in (x, *states)]

    def initial(tensors):
        return None if not tensors else tensors[0] if len(tensors) == 1 else tuple(tensors)

    got = flat(mine(ours[0], initial(ours[1:])))
    want = flat(run(theirs[0], initial(theirs[1:])))
    loss, loss_there = 0, 0
    for number, (a, b) in enumerate(zip(got, want, strict=True)):
        assert_agree(a.data, b.detach().numpy(), dtype, f"result {number}")
        upstream = normal(*a.shape, seed=number).astype(dtype)
        loss = loss + (a * Tensor(upstream)).sum()
        loss_there = loss_there + (b * torch.tensor(upstream)).sum()
    loss.backward()
    loss_there.backward()
    for number, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert_agree(a.grad, b.grad.numpy(), dtype, f"gradient of input {number}")
    for (name, a), b in zip(mine.named_parameters(), peer.parameters(), strict=True):
        assert_agree(a.grad, b.grad.numpy(), dtype, f"gradient of {name}")


def states_of(mine, n=(N,)):
    """Random initial states for a layer."""
    layers = mine.num_layers * (1 + mine.bidirectional)
    return [normal(layers, *n, D, seed=s) for s in range(len(mine.states))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_layers(torch, kind, shape, dtype):
    mine, peer = pair(torch, kind, dtype, **SHAPES[shape])
    first = (N, STEPS) if mine.batch_first else (STEPS, N)
    both(torch, mine, peer, normal(*first, INPUTS), states_of(mine), dtype)
    mine, peer = pair(torch, kind, dtype, **SHAPES[shape])
    both(torch, mine, peer, normal(*first, INPUTS, seed=1), [], dtype)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_single_sequence_without_batch_axis(torch, kind, batch_first, dtype):
    options = {"num_layers": 2, "bidirectional": True, "batch_first": batch_first}
    mine, peer = pair(torch, kind, dtype, **options)
    both(torch, mine, peer, normal(STEPS, INPUTS), states_of(mine, ()), dtype)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_padded_sequences_are_packed_ones(torch, kind, shape, dtype):
    mine, peer = pair(torch, kind, dtype, **SHAPES[shape])
    rnn, lengths = torch.nn.utils.rnn, [3, 5, 1, 4]
    batch_first = mine.batch_first
    x = normal(N, STEPS, INPUTS) if batch_first else normal(STEPS, N, INPUTS)

    def packed(y, hx):
        y = rnn.pack_padded_sequence(y, lengths, batch_first, enforce_sorted=False)
        output, last = peer(y, hx)
        return rnn.pad_packed_sequence(output, batch_first)[0], last

    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = mine

        def forward(self, y, hx):
            return self.inner(y, hx, lengths=lengths)

    both(torch, Masked(), peer, x, states_of(mine), dtype, packed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [(N,), ()])
def test_cells(torch, kind, bias, batch, dtype):
    name = kind.split()[0] + "Cell"
    mine = getattr(nn, name)(INPUTS, D, bias=bias, **KINDS[kind])
    peer = getattr(torch.nn, name)(INPUTS, D, bias=bias, **KINDS[kind])
    to_torch(torch, mine, peer)
    assert list(mine.state_dict()) == list(peer.state_dict())
    mine.astype(dtype)
    peer.to(getattr(torch, dtype))
    states = [normal(*batch, D, seed=s) for s in range(len(mine.states))]
    arrays = [normal(*batch, INPUTS), *states]

    def steps(cell):
        """Three steps, the state carried."""

        def run(x, *hx):
            hx = hx if len(hx) > 1 else hx[0]
            for _ in range(3):
                hx = cell(x, hx)
            return hx[1] * hx[0] if isinstance(hx, tuple) else hx

        return run

    compare(torch, steps(mine), steps(peer), arrays, dtype)
    for p, q in zip(mine.parameters(), peer.parameters(), strict=True):
        assert_agree(p.grad, q.grad.numpy(), dtype)
    compare(torch, lambda x: flat_cell(mine(x)), lambda x: flat_cell(peer(x)), arrays[:1], dtype)


def flat_cell(result):
    """h, or h + c."""
    return result[0] + result[1] if isinstance(result, tuple) else result


@pytest.mark.parametrize("kind", KINDS)
def test_a_large_layer_in_float32(torch, kind):
    mine, peer = pair(torch, kind, "float32", inputs=40, num_layers=2)
    both(torch, mine, peer, normal(30, 17, 40), [], "float32")


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_initial_weights_follow_the_same_law(torch, name):
    mine, peer = getattr(nn, name)(7, 100), getattr(torch.nn, name)(7, 100)
    for p, q in zip(mine.parameters(), peer.parameters(), strict=True):
        for values in (p.data, q.detach().numpy()):
            assert np.abs(values).max() <= 0.1
            assert values.size < 1000 or np.abs(values).max() > 0.099
            assert abs(values.std() - 0.1 / 3**0.5) < 0.1 * 3 / values.size**0.5


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding_idx": 1},
        {"padding_idx": -2},
        {"max_norm": 0.8},
        {"max_norm": 1.0, "norm_type": 1.0},
        {"scale_grad_by_freq": True},
        {"scale_grad_by_freq": True, "padding_idx": 3},
    ],
)
def test_embedding(torch, options, dtype):
    mine, peer = nn.Embedding(6, 4, **options), torch.nn.Embedding(6, 4, **options)
    to_torch(torch, mine, peer)
    mine.astype(dtype)
    peer.to(getattr(torch, dtype))
    index = np.array([[1, 4, 4], [3, 1, 4]])
    y, z = mine(index), peer(torch.tensor(index))
    assert_agree(y.data, z.detach().numpy(), dtype)
    upstream = normal(2, 3, 4).astype(dtype)
    y.backward(upstream)
    z.backward(torch.tensor(upstream))
    assert_agree(mine.weight.grad, peer.weight.grad.numpy(), dtype)
    assert_agree(mine.weight.data, peer.weight.detach().numpy(), dtype)


def test_functional_embedding(torch, dtype):
    index = np.array([2, 0, 2])
    compare(
        torch,
        lambda w: F.embedding(index, w, padding_idx=0),
        lambda w: torch.nn.functional.embedding(torch.tensor(index), w, padding_idx=0),
        [normal(3, 5)],
        dtype,
    )
