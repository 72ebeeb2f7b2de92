"""Recurrent layers: steps, directions, padding, dropout, long sequences, bad input."""

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import backend, nn
from minidl import functional as F
from minidl.errors import ArgumentError, AutogradError, DTypeError, ShapeError
from minidl.gradcheck import gradcheck

KINDS = ["RNN", "GRU", "LSTM"]
CELLS = {"RNN": nn.RNNCell, "GRU": nn.GRUCell, "LSTM": nn.LSTMCell}
STEPS, N, INPUTS, D = 5, 3, 4, 6


def rng(seed=0):
    return np.random.default_rng(seed)


def make(kind, **options):
    return getattr(nn, kind)(INPUTS, D, rng=rng(1), **options).double()


def data(*shape, seed=2):
    return Tensor(rng(seed).normal(size=shape or (STEPS, N, INPUTS)))


def flat(result):
    """The output, h_n, and c_n of an LSTM, as arrays."""
    output, states = result
    return [t.data for t in (output, *(states if isinstance(states, tuple) else (states,)))]


def same(got, want, rtol=1e-12):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-13)


# -- steps and directions --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_its_cell_step_after_step(kind):
    layer, x = make(kind), data()
    cell = CELLS[kind](INPUTS, D).double()
    cell.load_state_dict({k.removesuffix("_l0"): v for k, v in layer.state_dict().items()})
    state, outputs = None, []
    for t in range(STEPS):
        state = cell(x[t], state)
        outputs.append((state[0] if kind == "LSTM" else state).data)
    last = [s.data[None] for s in (state if kind == "LSTM" else (state,))]
    same(flat(layer(x)), [np.stack(outputs), *last])
    one = cell(x[0, 1])
    many = cell(x[0])
    pairs = zip(*((one, many) if kind == "LSTM" else ((one,), (many,))), strict=True)
    for a, b in pairs:
        np.testing.assert_allclose(a.data, b.data[1], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_other_direction_reads_the_sequence_from_its_end(kind):
    both, x = make(kind, bidirectional=True), data()
    ahead, back = make(kind), make(kind)
    state = both.state_dict()
    ahead.load_state_dict({k: v for k, v in state.items() if not k.endswith("_reverse")})
    back.load_state_dict(
        {k.removesuffix("_reverse"): v for k, v in state.items() if k.endswith("_reverse")}
    )
    first, second = flat(ahead(x)), flat(back(Tensor(x.data[::-1].copy())))
    joined = np.concatenate([first[0], second[0][::-1]], axis=2)
    last = [np.concatenate(pair) for pair in zip(first[1:], second[1:], strict=True)]
    same(flat(both(x)), [joined, *last])


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_stacked(kind):
    deep, x = make(kind, num_layers=2), data()
    lower, upper = make(kind), getattr(nn, kind)(D, D).double()
    state = deep.state_dict()
    lower.load_state_dict({k: v for k, v in state.items() if k.endswith("_l0")})
    upper.load_state_dict(
        {k.replace("_l1", "_l0"): v for k, v in state.items() if k.endswith("_l1")}
    )
    below = flat(lower(x))
    above = flat(upper(Tensor(below[0])))
    same(flat(deep(x)), [above[0], *map(np.concatenate, zip(below[1:], above[1:], strict=True))])


@pytest.mark.parametrize("kind", KINDS)
def test_layouts_agree(kind):
    layer, x = make(kind, bidirectional=True), data()
    output, *states = flat(layer(x))
    layer.batch_first = True
    turned = flat(layer(x.transpose(1, 0, 2)))
    same(turned, [output.transpose(1, 0, 2), *states])
    single = flat(layer(x[:, 1]))
    same(single, [output[:, 1], *(s[:, 1] for s in states)])


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_goes_on(kind):
    layer, x = make(kind, num_layers=2), data()
    whole = flat(layer(x))
    first, state = layer(x[:2])
    second = layer(x[2:], state)
    same([np.concatenate([first.data, second[0].data]), *flat(second)[1:]], whole)


def test_names_and_shapes_of_parameters():
    layer = nn.LSTM(3, 5, num_layers=2, bidirectional=True)
    shapes = {name: p.shape for name, p in layer.named_parameters()}
    assert list(shapes)[:5] == [
        *("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"),
        "weight_ih_l0_reverse",
    ]
    assert shapes["weight_ih_l0"] == (20, 3)
    assert shapes["weight_ih_l1_reverse"] == (20, 10)
    assert shapes["bias_hh_l1"] == (20,)
    plain = nn.GRU(3, 5, bias=False)
    assert list(plain.state_dict()) == ["weight_ih_l0", "weight_hh_l0"]
    assert repr(plain) == "GRU(3, 5, bias=False)"
    bound = max(np.abs(p.data).max() for p in nn.LSTM(3, 100, rng=rng()).parameters())
    assert 0.0999 < bound <= 0.1


# -- padding ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "bidirectional": True}])
def test_a_padded_batch_is_each_sequence_alone(kind, options):
    """Whatever stands in the padding: values and all gradients are those of the sequences alone."""
    lengths, layer = [2, 5, 1], make(kind, **options)
    values = data().data.copy()
    for b, length in enumerate(lengths):
        values[length:, b] = np.nan
    x = Tensor(values, requires_grad=True)
    result = layer(x, lengths=lengths)
    output, *states = flat(result)
    upstream = rng(3).normal(size=output.shape)
    ends = rng(4).normal(size=states[0].shape)
    h_n = result[1][0] if kind == "LSTM" else result[1]
    ((result[0] * Tensor(upstream)).sum() + (h_n * Tensor(ends)).sum()).backward()
    got = {name: p.grad for name, p in layer.named_parameters()}
    layer.zero_grad()
    for b, length in enumerate(lengths):
        alone = Tensor(values[:length, b].copy(), requires_grad=True)
        single = layer(alone)
        same(flat(single), [output[:length, b], *(s[:, b] for s in states)], 1e-10)
        assert not output[length:, b].any()
        h_n = single[1][0] if kind == "LSTM" else single[1]
        loss = (single[0] * Tensor(upstream[:length, b])).sum() + (h_n * Tensor(ends[:, b])).sum()
        loss.backward()
        np.testing.assert_allclose(x.grad[:length, b], alone.grad, rtol=1e-10, atol=1e-12)
        assert not x.grad[length:, b].any()
    for name, p in layer.named_parameters():
        np.testing.assert_allclose(got[name], p.grad, rtol=1e-10, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_whole_lengths_change_nothing(kind):
    layer, x = make(kind, bidirectional=True), data()
    same(flat(layer(x, lengths=np.full(N, STEPS))), flat(layer(x)), 0)
    same(flat(layer(x, lengths=Tensor(np.array([5, 5, 5])))), flat(layer(x)), 0)


# -- dropout ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_stands_between_layers_in_training_alone(kind):
    x = data()
    layer, plain = (make(kind, num_layers=2, dropout=p) for p in (0.5, 0.0))
    wanted = flat(plain(x))
    assert not np.allclose(flat(layer(x))[0], wanted[0])
    assert flat(layer(x))[0].all(), "outputs of the last layer are not dropped"
    np.testing.assert_allclose(flat(layer(x))[1][0], wanted[1][0])  # nor those of the first
    same(flat(layer.eval()(x)), wanted, 0)
    everything = make(kind, num_layers=2, dropout=1.0)
    upper = getattr(nn, kind)(D, D).double()
    state = everything.state_dict()
    upper.load_state_dict(
        {k.replace("_l1", "_l0"): v for k, v in state.items() if k.endswith("_l1")}
    )
    same(flat(everything(x))[:1], flat(upper(Tensor(np.zeros((STEPS, N, D)))))[:1])


def test_dropout_of_one_layer_is_said_to_do_nothing():
    with pytest.warns(UserWarning, match="LSTM: dropout stands between layers"):
        nn.LSTM(2, 3, dropout=0.5)


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_recurrent_dropout_draws_a_mask_for_each_step_in_training(kind):
    layer, x = make(kind, recurrent_dropout=0.5), data()
    layer.rng = rng(5)
    first, second = flat(layer(x)), flat(layer(x))
    assert not np.allclose(first[0], second[0])
    layer.rng = rng(5)
    same(flat(layer(x)), first, 0)
    same(flat(layer.eval()(x)), flat(make(kind)(x)), 0)


def test_recurrent_dropout_leaves_the_memory_alone():
    """All candidates dropped: c decays by the forget gates alone, and is never cut."""
    x, weights = data(), [data(4 * D, INPUTS, seed=6), data(4 * D, D, seed=7)]
    h0, c0 = data(N, D, seed=8), data(N, D, seed=9)
    _, _, c_n = F.lstm(x, h0, c0, *weights, recurrent_dropout=1.0)
    h, c = h0.data, c0.data
    for t in range(STEPS):
        a = x.data[t] @ weights[0].data.T + h @ weights[1].data.T
        gates = 1 / (1 + np.exp(-a))
        c = gates[:, D : 2 * D] * c
        h = gates[:, 3 * D :] * np.tanh(c)
    np.testing.assert_allclose(c_n.data, c, rtol=1e-12)
    _, h_n = F.gru(x, h0, *(data(3 * D, k, seed=k) for k in (INPUTS, D)), recurrent_dropout=1.0)
    assert (np.abs(h_n.data) < np.abs(h0.data)).all()
    assert (np.sign(h_n.data) == np.sign(h0.data)).all()


def test_kept_candidates_are_scaled_up():
    """One step from c0 = 0 with open gates: c is the candidate, on average as without dropout."""
    n, bias = 4000, np.repeat([30.0, 0.0, 0.5, 0.0], 2)
    zeros = Tensor(np.zeros((n, 2)))
    weights = Tensor(np.zeros((8, 1))), Tensor(np.zeros((8, 2)))
    _, _, c = F.lstm(
        *(Tensor(np.zeros((1, n, 1))), zeros, zeros, *weights, Tensor(bias)),
        recurrent_dropout=0.25,
        rng=rng(10),
    )
    kept = c.data != 0
    np.testing.assert_allclose(c.data[kept], np.tanh(0.5) / 0.75)
    assert abs(kept.mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / c.size)


# -- long sequences, memory ------------------------------------------------------------------------


def test_an_open_forget_gate_carries_the_gradient_through_300_steps():
    steps = 300
    for forget, wanted in [(30.0, 1.0), (0.0, 0.0), (np.log(99.0), 0.99**steps)]:
        zeros = np.zeros((1, 2))
        bias = Tensor(np.repeat([-30.0, forget, 0.0, 0.0], 2))
        c0 = Tensor(zeros + 0.3, requires_grad=True)
        weights = Tensor(np.zeros((8, 1))), Tensor(np.zeros((8, 2)))
        _, _, c_n = F.lstm(Tensor(np.zeros((steps, 1, 1))), Tensor(zeros), c0, *weights, bias)
        c_n.backward(np.array([[1.5, -2.0]]))
        np.testing.assert_allclose(c0.grad, [[1.5 * wanted, -2 * wanted]], rtol=1e-9, atol=1e-80)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_of_many_steps_matches_differences(kind):
    layer = make(kind)
    gradcheck(lambda x: layer(x)[0][-1], [rng(11).normal(size=(40, 1, INPUTS))], seed=1)


@pytest.mark.parametrize(("kind", "family"), [("GRU", "gru"), ("LSTM", "lstm")])
def test_without_gradients_no_step_is_stored(kind, family, monkeypatch):
    kept, real = [], backend.call

    def call(name, function, *arguments):
        result = real(name, function, *arguments)
        if name == family:
            kept.append([len(array) for array in result[1:]])
        return result

    monkeypatch.setattr(backend, "call", call)
    layer, x = make(kind), data()
    with minidl.no_grad():
        quiet = flat(layer(x))
    frozen = flat(layer.requires_grad_(False)(x))
    loud = flat(layer.requires_grad_()(x))
    states = [[0, 0], [0, 0], [STEPS + 1, STEPS]] if kind == "LSTM" else [[0], [0], [STEPS]]
    assert kept == states
    same(quiet, loud, 0)
    same(frozen, loud, 0)


def test_a_change_of_the_output_in_place_is_noticed():
    layer, x = make("LSTM"), data()
    output, _ = layer(x)
    with minidl.no_grad():
        output[0] = 0.0
    with pytest.raises(AutogradError, match="LSTM: expected the result as it was"):
        output.sum().backward()


@pytest.mark.parametrize("kind", KINDS)
def test_thread_counts_give_the_same(kind):
    layer, x = getattr(nn, kind)(40, 96, rng=rng()), data(12, 37, 40).astype(np.float32)
    lengths = rng(1).integers(1, 13, 37)
    before, results = minidl.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            minidl.set_num_threads(count)
            layer.zero_grad()
            output, _ = layer(x, lengths=lengths)
            output.backward(rng(2).normal(size=output.shape).astype(np.float32))
            results.append([output.data, *(p.grad for p in layer.parameters())])
    finally:
        minidl.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=2e-5 * np.abs(a).max())


@pytest.mark.parametrize("kind", KINDS)
def test_saturated_gates_stay_finite(kind):
    layer = make(kind).float()
    x = Tensor(np.full((3, 2, INPUTS), 1e4, np.float32) * np.float32([1, -1, 1, -1]))
    output, _ = layer(x)
    output.backward(rng(12).normal(size=output.shape).astype(np.float32))
    assert np.isfinite(output.data).all()
    assert all(np.isfinite(p.grad).all() for p in layer.parameters())


# -- bad input -------------------------------------------------------------------------------------

X = Tensor(np.zeros((STEPS, N, INPUTS), np.float32))
H = Tensor(np.zeros((1, N, D), np.float32))


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: nn.LSTM(0, 3), ArgumentError, "LSTM: expected input_size"),
        (lambda: nn.GRU(2, 3, num_layers=0), ArgumentError, "GRU: expected num_layers"),
        (lambda: nn.RNN(2, 3, nonlinearity="elu"), ArgumentError, '"tanh" or "relu"'),
        (lambda: nn.RNNCell(2, 3, nonlinearity="elu"), ArgumentError, "RNNCell: expected"),
        (lambda: nn.LSTM(2, 3, 2, dropout=1.5), ArgumentError, "dropout between 0.0 and 1.0"),
        (lambda: nn.LSTM(2, 3, recurrent_dropout=-1), ArgumentError, "recurrent_dropout between"),
        (lambda: nn.LSTM(3, D)(X), ShapeError, r"LSTM: expected x of shape \(steps, n, d\)"),
        (lambda: nn.GRU(3, D, batch_first=True)(X), ShapeError, r"\(n, steps, d\) or \(steps, d\)"),
        (lambda: nn.LSTM(INPUTS, D)(X, H), DTypeError, r"hx as a tuple \(h0, c0\), got Tensor"),
        (lambda: nn.LSTM(INPUTS, D)(X, (H,)), DTypeError, "hx as a tuple"),
        (lambda: nn.LSTM(INPUTS, D)(X, (H, H[0])), ShapeError, r"c0 of shape \(1, 3, 6\)"),
        (lambda: nn.GRU(INPUTS, D, 2)(X, H), ShapeError, r"h0 of shape \(2, 3, 6\), got \(1, 3"),
        (lambda: nn.GRU(INPUTS, D)(X[:0]), ShapeError, "at least one time step"),
        (lambda: nn.GRU(INPUTS, D)(X, lengths=[1, 2]), ShapeError, r"lengths of shape \(3,\)"),
        (lambda: nn.GRU(INPUTS, D)(X, lengths=[1, 0, 2]), ArgumentError, "from 1 to 5, x's time"),
        (lambda: nn.GRU(INPUTS, D)(X, lengths=[1, 6, 2]), ArgumentError, "got 1 to 6; leave"),
        (lambda: nn.GRU(INPUTS, D)(X, lengths=[1.0, 2, 3]), DTypeError, "lengths as integers"),
        (lambda: nn.GRU(INPUTS, D)(X[:, 0], lengths=[5]), ArgumentError, "no lengths for a single"),
        (lambda: nn.GRU(INPUTS, D)(np.zeros((2, 2, 4), int)), DTypeError, "floating type"),
        (lambda: nn.LSTMCell(INPUTS, D)(X), ShapeError, r"x of shape \(n, 4\) or \(4,\)"),
        (lambda: nn.LSTMCell(INPUTS, D)(X[0], H[0]), DTypeError, "LSTMCell: expected hx as"),
        (lambda: nn.GRUCell(INPUTS, D)(X[0], H), ShapeError, r"h0 of shape \(3, 6\)"),
        (lambda: F.rnn(X, H[0], X[0], X[0]), ShapeError, r"weight_ih of shape \(6, 4\)"),
        (lambda: F.rnn(X, H[0], X[0], X[0], nonlinearity="elu"), ArgumentError, "rnn: expected"),
        (lambda: F.lstm(X[0], H[0], H[0], X[0], X[0]), ShapeError, r"\(steps, n, inputs\)"),
        (lambda: F.gru(X, H, X[0], X[0]), ShapeError, r"h0 of shape \(n, d\)"),
    ],
)
def test_bad_input_is_told(call, error, says):
    with pytest.raises(error, match=says):
        call()
