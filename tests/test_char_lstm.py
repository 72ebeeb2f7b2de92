"""The character LSTM: shapes, states carried over, learning by heart, and writing."""

import runpy
from pathlib import Path

import numpy as np
import pytest

import minidl
from minidl.tensor import Tensor
from minidl import optim
from minidl.data import Alphabet, SequenceLoader, source_text
from minidl.errors import ArgumentError
from minidl.models import CharLSTM
from minidl.models.char_lstm import draw

TEXT = "the cat sat on the mat. " * 40
ALPHABET = Alphabet(TEXT)


def rng(seed=0):
    return np.random.default_rng(seed)


def make(**options):
    options = {"embedding_size": 8, "hidden_size": 24, "rng": rng(1), **options}
    return CharLSTM(ALPHABET, **options)


def test_shapes_and_states():
    model = make(num_layers=2)
    codes = Tensor(rng().integers(0, len(ALPHABET), (7, 3)))
    logits, state = model(codes)
    assert logits.shape == (7, 3, len(ALPHABET))
    assert [[part.shape for part in pair] for pair in state] == [[(3, 24)] * 2] * 2
    first, half = model(codes[:4])
    second, end = model(codes[4:], half)
    joined = np.concatenate([first.data, second.data])
    np.testing.assert_allclose(joined, logits.data, atol=1e-6)
    np.testing.assert_allclose(end[1][1].data, state[1][1].data, atol=1e-6)


def test_no_gradient_flows_into_the_state_that_is_given():
    model, codes = make(), Tensor(np.zeros((3, 2), int))
    first, state = model(codes)
    loss, _ = model.loss(codes, codes, state)
    loss.backward()
    grads = {name: p.grad.copy() for name, p in model.named_parameters()}
    model.zero_grad()
    constant = [tuple(Tensor(part.data.copy()) for part in pair) for pair in state]
    model.loss(codes, codes, constant)[0].backward()
    for name, p in model.named_parameters():
        np.testing.assert_array_equal(p.grad, grads[name])
    assert first.requires_grad


@pytest.mark.parametrize("layer_norm", [True, False])
def test_a_sentence_is_learned_by_heart_and_written(layer_norm):
    model = make(layer_norm=layer_norm)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    loader = SequenceLoader(ALPHABET.encode(TEXT), batch_size=4, steps=16)
    losses = []
    for _ in range(8):
        state = None
        for inputs, targets in loader:
            loss, state = model.loss(inputs, targets, state)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert 2 < losses[0] < 4
    assert losses[-1] < 0.1
    assert model.sample(40, 0.0, "the c") == "at sat on the mat. the cat sat on the mat"[:40]


def test_writing_follows_the_seed_and_leaves_the_mode():
    model = make(dropout_keep_prob=0.5)
    texts = [model.sample(30, prompt="th", rng=rng(s)) for s in (3, 3, 4)]
    assert texts[0] == texts[1] != texts[2]
    assert all(len(text) == 30 for text in texts)
    assert model.training
    minidl.manual_seed(3)
    one = model.eval().sample(30, prompt="th")
    minidl.manual_seed(3)
    assert model.sample(30, prompt="th") == one
    assert not model.training


def test_characters_are_drawn_with_the_probabilities_of_the_softmax():
    logits, generator = np.array([0.0, 1.0, -1.0, 0.5], np.float32), rng(5)
    for temperature in (1.0, 0.5, 3.0):
        drawn = [draw(logits, temperature, generator) for _ in range(4000)]
        p = np.exp(logits / temperature)
        p /= p.sum()
        found = np.bincount(drawn, minlength=4) / 4000
        assert (np.abs(found - p) < 5 * np.sqrt(p * (1 - p) / 4000)).all()
    assert draw(logits, 0.0, generator) == 1


def test_the_example_prints_what_it_claims(tmp_path, monkeypatch, capsys):
    """In small: fewer units and shorter sequences than the example takes by itself."""
    path = tmp_path / "text.txt"
    path.write_text(source_text(6000))
    monkeypatch.setattr("sys.argv", ["char_lstm.py", "--text", str(path), "--steps", "6"])
    example = runpy.run_path(str(Path(__file__).parents[1] / "examples" / "char_lstm.py"))
    small = {"BATCH": 4, "STEPS": 8, "HIDDEN": 12}
    for name in ("main", "train", "measure"):
        example[name].__globals__.update(small)
    example["main"]()
    printed = capsys.readouterr().out
    assert "6,000 characters" in printed
    assert "knowing only their frequencies" in printed
    assert printed.count(" bits   ") == 12
    assert "LSTM with layer norm" in printed
    assert "ahead at" in printed
    assert printed.count("--- what the normalized LSTM writes") == 2


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: make(num_layers=0), "CharLSTM: expected num_layers"),
        (lambda: make().sample(0, prompt="t"), "sample: expected length"),
        (lambda: make().sample(5, -1, "t"), "temperature of at least 0, got -1"),
        (lambda: make().sample(5, float("nan"), "t"), "temperature"),
        (lambda: make().sample(5, prompt=""), "a prompt of at least one character"),
        (lambda: make().sample(5, prompt="xyz"), "got 'xyz'"),
    ],
)
def test_bad_input_is_told(call, says):
    with pytest.raises(ArgumentError, match=says):
        call()
