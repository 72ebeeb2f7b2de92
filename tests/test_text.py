"""Text: reading, alphabets, frequencies, and sequences that follow each other."""

import math

import numpy as np
import pytest

from minidl.data import Alphabet, SequenceLoader, entropy, read_text, source_text
from minidl.errors import ArgumentError, DTypeError


def test_there_is_always_a_text():
    text = source_text(50_000)
    assert len(text) == 50_000
    assert text.isascii()
    assert "def " in text
    assert source_text(70_000).startswith(text)
    with pytest.raises(ArgumentError, match="source_text: expected characters"):
        source_text(0)


def test_a_library_without_source_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr("sysconfig.get_paths", lambda: {"stdlib": str(tmp_path)})
    with pytest.raises(ArgumentError, match="read a text of your own with read_text"):
        source_text()
    (tmp_path / "b.py").write_text("second = 2\n")
    (tmp_path / "a.py").write_text("first = 1\n")
    (tmp_path / "c.py").write_text("ü = 3\n", encoding="utf-8")
    assert source_text() == "first = 1\nsecond = 2\n"
    assert source_text(12) == "first = 1\nse"


def test_reading_a_file(tmp_path):
    path = tmp_path / "poem.txt"
    path.write_bytes("Ein Lied über Bäume\r\n".encode())
    assert read_text(path) == "Ein Lied über Bäume\n"
    path.write_bytes("Bäume".encode("latin-1"))
    assert read_text(str(path), "latin-1") == "Bäume"
    with pytest.raises(ArgumentError, match=r"text in .*poem.txt, got .*codec.*encoding='latin-1'"):
        read_text(path)
    with pytest.raises(ArgumentError, match="unknown encoding"):
        read_text(path, "no such")
    path.write_bytes(b"")
    with pytest.raises(ArgumentError, match="got an empty file"):
        read_text(path)
    with pytest.raises(ArgumentError, match=r"expected a file .*none"):
        read_text(tmp_path)


def test_an_alphabet_goes_there_and_back():
    text = "Zwölf Boxkämpfer, 漢字 and 🙂\n"
    alphabet = Alphabet(text)
    codes = alphabet.encode(text)
    assert codes.dtype == np.int64
    assert [alphabet.characters[c] for c in codes] == list(text)
    assert alphabet.decode(codes) == text
    assert sorted(set(text)) == list(alphabet.characters)
    assert len(alphabet) == codes.max() + 1
    assert alphabet.encode("").shape == (0,)
    assert repr(Alphabet("ba")) == "Alphabet('ab')"


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: Alphabet(""), ArgumentError, "at least one character"),
        (lambda: Alphabet(3), DTypeError, "a string, got int"),
        (lambda: Alphabet("abc").encode("cäxa"), ArgumentError, "3 characters .*, got 'xä'"),
        (lambda: Alphabet("abc").decode([0, 3]), ArgumentError, "from 0 to 2, got 0 to 3"),
        (lambda: SequenceLoader(np.zeros(4)), DTypeError, r"shape \(4,\) of float64; encode"),
        (lambda: SequenceLoader(np.arange(6), 2, 3), ArgumentError, "at least 7 char.*, got 6"),
        (lambda: SequenceLoader(np.arange(9), 0, 3), ArgumentError, "batch_size"),
    ],
)
def test_bad_input_is_told(call, error, says):
    with pytest.raises(error, match=says):
        call()


def test_entropy_of_frequencies():
    codes = np.repeat([0, 1, 2, 3], [3, 3, 1, 1])
    p = np.array([4, 4, 2, 2]) / 12  # each number counts once more than it occurs
    assert entropy(codes) == pytest.approx(-np.log2(p[codes]).mean())
    assert entropy(np.zeros(10**6, int)) < 1e-5
    assert entropy(np.zeros(3, int), np.array([1])) == pytest.approx(math.log2(5))
    fair = np.arange(10**5) % 32
    assert entropy(fair) == pytest.approx(5)


@pytest.mark.parametrize(("length", "batch", "steps"), [(25, 2, 3), (13, 3, 4), (100, 7, 5)])
def test_sequences_follow_each_other(length, batch, steps):
    loader = SequenceLoader(np.arange(length), batch, steps)
    batches = list(loader)
    assert len(batches) == len(loader) == (length - 1) // batch // steps
    for inputs, targets in batches:
        assert inputs.shape == targets.shape == (steps, batch)
        np.testing.assert_array_equal(targets.data, inputs.data + 1)
    whole = np.concatenate([inputs.data for inputs, _ in batches])
    np.testing.assert_array_equal(np.diff(whole, axis=0), 1)
    assert len(np.unique(whole)) == whole.size
