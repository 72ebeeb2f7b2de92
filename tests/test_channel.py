"""The grader's end of the line against workers that answer anything at any time.

Whatever comes, there is an answer or one of the failures meant, within the deadline and within
memory. MINIDL_FUZZ=long draws many more of the random ones (minutes).
"""

import json
import os
import socket
import threading
import time
import tracemalloc
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minidl.grading.channel import Channel
from minidl.grading.failure import Reporter
from minidl.grading.protocol import DTYPES, MAGIC, PREFIX, ProtocolError, pack
from minidl.grading.sandbox import _is_answer
from minidl.grading.student import StudentFailure

CAP = 2**16
KINDS = {"missing", "raised", "timeout", "crashed", "memory", "protocol"}
LONG = os.environ.get("MINIDL_FUZZ") == "long"
many = settings(
    deadline=None, max_examples=20_000 if LONG else 120, derandomize=not LONG, database=None
)
DEADLINE = 0.15


class Fake:
    """A worker that does what it is told: pieces of bytes to send, and when to hang up."""

    def __init__(self, behave):
        self.ours, self.theirs = socket.socketpair()
        reading, self.printed = os.pipe()
        self.channel = Channel(self.ours, reading, CAP, 1000)
        self.thread = threading.Thread(target=self._run, args=(behave,), daemon=True)

    def _run(self, behave):
        try:
            behave(self.theirs, self.printed)
        except OSError:
            return

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.theirs.close()
        self.channel.close()
        self.thread.join(10)
        os.close(self.printed)
        assert not self.thread.is_alive()


def ask(behave, seconds=DEADLINE):
    """Ask one question; return what came: an answer, or the name of the failure."""
    with Fake(behave) as fake:
        start = time.monotonic()
        try:
            return fake.channel.exchange(fake.channel.pack({"do": "call"}, "it"), seconds)
        except (TimeoutError, EOFError, ProtocolError) as error:
            return type(error).__name__
        finally:
            assert time.monotonic() - start < seconds + 5


def question(end):
    """Read one question; return its ticket."""
    data = b""
    while len(data) < PREFIX.size:
        data += end.recv(PREFIX.size - len(data))
    _, ticket, header, size = PREFIX.unpack(data)
    left = header + size
    while left:
        left -= len(end.recv(left))
    return ticket


def frame(ticket, value):
    return b"".join(bytes(piece) for piece in pack(ticket, value, "it", CAP))


def test_a_right_answer_comes_back_in_pieces_of_any_size():
    def behave(end, printed):
        data = frame(question(end), {"y": np.arange(9.0)})
        for place in range(0, len(data), 7):
            os.write(printed, b"chatter " * 100)
            end.sendall(data[place : place + 7])

    answer = ask(behave, 20)
    np.testing.assert_array_equal(answer["y"], np.arange(9.0))


@pytest.mark.parametrize(
    ("behave", "failure"),
    [
        (lambda end, _: end.close(), "EOFError"),
        (lambda end, _: end.sendall(frame(0, None)), "ProtocolError"),
        (lambda end, _: end.sendall(frame(question(end) ^ 1, None)), "ProtocolError"),
        (lambda end, _: end.sendall(frame(question(end), None)[:-1]), "TimeoutError"),
        (lambda end, _: (question(end), end.shutdown(socket.SHUT_WR)), "EOFError"),
        (lambda end, _: time.sleep(0.5), "TimeoutError"),
        (
            lambda end, printed: [os.write(printed, b"A" * 4096) for _ in range(10**5)],
            "TimeoutError",
        ),
        (lambda end, _: end.sendall(b"\x80\x04\x95" * 10**6), "ProtocolError"),
    ],
    ids=range(8),
)
def test_every_way_of_not_answering_is_one_of_three(behave, failure):
    assert ask(behave) == failure


def test_a_drip_is_cut_off_by_the_deadline():
    def behave(end, printed):
        for byte in frame(question(end), "x" * 5000):
            end.sendall(bytes([byte]))
            time.sleep(0.01)

    assert ask(behave) == "TimeoutError"


def test_a_question_nobody_reads_does_not_hold_the_grader():
    with Fake(lambda end, _: time.sleep(1)) as fake:
        pieces = fake.channel.pack(np.zeros(CAP, np.uint8), "it") * 50
        with pytest.raises(TimeoutError):
            fake.channel.exchange(pieces, DEADLINE)


tags = st.sampled_from(["array", "float", "rng", "list", "tuple", "dict", "object", "__class__"])
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(tags, inner, max_size=2),
    max_leaves=8,
)
shapes = st.lists(st.integers(-2, 2**33) | st.floats() | st.none(), max_size=5)
claims = st.builds(
    lambda name, shape: {"array": [name, shape]}, st.sampled_from([*DTYPES, "object", "V8"]), shapes
)
headers = (plain | claims | st.lists(claims, max_size=3).map(lambda items: {"list": items})).map(
    lambda tree: json.dumps(tree).encode()
)
lengths = st.none() | st.integers(0, 2**32 - 1)
sizes = st.none() | st.integers(0, 2**64 - 1) | st.integers(0, 64)


@st.composite
def conversations(draw):
    """Bytes a worker might send: frames, broken frames, noise; True in place of the ticket."""
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        header = draw(headers | st.binary(max_size=40))
        payload = draw(st.binary(max_size=64))
        magic = draw(st.sampled_from([MAGIC, MAGIC, MAGIC, b"mdl2", b"\0\0\0\0"]))
        length, size = draw(lengths), draw(sizes)
        length = len(header) if length is None else length
        size = len(payload) if size is None else size
        parts.append((magic, draw(st.booleans()), length, size, header + payload))
    return parts, draw(st.booleans())


@many
@given(conversations())
def test_any_conversation_ends_in_an_answer_or_a_failure(conversation):
    parts, hang_up = conversation

    def behave(end, printed):
        ticket = question(end)
        for magic, known, length, size, data in parts:
            end.sendall(PREFIX.pack(magic, ticket if known else 7, length, size) + data)
        if hang_up:
            end.shutdown(socket.SHUT_WR)

    tracemalloc.start()
    try:
        answer = ask(behave, 0.02)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**21
    if isinstance(answer, str) and answer in ("TimeoutError", "EOFError", "ProtocolError"):
        return
    told = Reporter("f.py", b"x = 1\n", hidden=True).said(answer, "f")
    assert _is_answer(answer, 0, set()) or told.kind in KINDS


failures = st.fixed_dictionaries(
    {
        "failed": st.sampled_from([*sorted(KINDS), "passed", ""]) | plain,
        "text": st.text(max_size=40) | plain,
        "type": st.sampled_from(["ValueError", "score 100", "\x1b[2J"]) | plain,
        "line": st.integers(-5, 10**9) | plain,
    }
)


@many
@given(plain | failures, st.booleans())
def test_whatever_a_worker_says_about_itself_is_one_clean_failure(answer, hidden):
    told = Reporter("f.py", b"x = 1\ny = 2\n", hidden).said(answer, "f")
    assert isinstance(told, StudentFailure)
    assert told.kind in KINDS
    assert told.line in (None, 1, 2)
    assert len(told.message) < 800
    assert not {unicodedata.category(c) for c in told.message} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
