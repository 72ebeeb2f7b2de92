"""The grader's end of the line to one worker: frames in turn, each within a deadline.

Nothing here waits for longer than it was told, whatever the worker does: reads and writes never
block, the clock is the grader's own, and what the student prints is drained meanwhile, so that a
flood of output fills neither the grader's memory nor a pipe.
"""

from __future__ import annotations

import os
import re
import secrets
import select
import socket
import time
import unicodedata
from typing import Any

from . import protocol

TAIL_BYTES = 8192
LAST_WORDS = re.compile(r"(Fatal Python error: |Stack \(most recent call first\))")
DUMP = "(most recent call first):"


class Channel:
    """One worker's stream of frames, and what it prints.

    Parameters
    ----------
    stream : the grader's end of the socket pair.
    output : the reading end of the pipe behind the worker's standard output and error.
    frame_bytes : cap on the payload of one frame.
    output_bytes : how much of what is printed is kept; the rest is read and dropped.
    """

    def __init__(
        self, stream: socket.socket, output: int, frame_bytes: int, output_bytes: int
    ) -> None:
        """Make both descriptors non-blocking and watch them."""
        self._stream, self._output = stream, output
        self._frame_bytes, self._output_bytes = frame_bytes, output_bytes
        self._ticket = 0
        self._printed = bytearray()
        self._tail = b""
        self._output_over = self._closed = False
        self._deadline = 0.0
        stream.setblocking(False)
        os.set_blocking(output, False)
        self._poll = select.poll()
        self._poll.register(output, select.POLLIN)

    def receive_first(self, seconds: float) -> Any:
        """Return the worker's first message, which nobody asked for.

        Raises
        ------
        TimeoutError, EOFError, ProtocolError
            as in `exchange`.
        """
        self._deadline = time.monotonic() + seconds
        return self._receive()

    def pack(self, message: Any, where: str) -> list[memoryview]:
        """Return the frame of the next message; raises ProtocolError, naming `where`."""
        self._ticket = secrets.randbits(64)
        return protocol.pack(self._ticket, message, where, self._frame_bytes)

    def exchange(self, pieces: list[memoryview], seconds: float) -> Any:
        """Send a packed message and return the answer to it.

        Raises
        ------
        TimeoutError
            when no whole answer came within `seconds`.
        EOFError
            when the worker hung up.
        protocol.ProtocolError
            when what came is not the answer to this message.
        """
        self._deadline = time.monotonic() + seconds
        for piece in pieces:
            self._write(piece)
        return self._receive()

    def _receive(self) -> Any:
        ticket, answer = protocol.receive(self._read, self._frame_bytes)
        if ticket != self._ticket:
            raise protocol.ProtocolError("an answer to another question")
        return answer

    def _write(self, view: memoryview) -> None:
        while view.nbytes:
            try:
                view = view[self._stream.send(view) :]
            except BlockingIOError:
                self._wait(select.POLLOUT)
            except ConnectionError:
                raise EOFError from None

    def _read(self, view: memoryview) -> None:
        while view.nbytes:
            try:
                count = self._stream.recv_into(view)
            except BlockingIOError:
                self._wait(select.POLLIN)
                continue
            except ConnectionError:
                raise EOFError from None
            if not count:
                raise EOFError
            view = view[count:]

    def _wait(self, event: int) -> None:
        """Return when the stream is ready; drain what is printed until then."""
        self._poll.register(self._stream, event)
        while True:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            ready = dict(self._poll.poll(left * 1000 + 1))
            if self._output in ready:
                self._drain_once()
            if self._stream.fileno() in ready:
                return

    def _drain_once(self) -> bool:
        """Read what was printed, at most one pipe full; return whether there was any."""
        try:
            data = os.read(self._output, 65536)
        except BlockingIOError:
            return False
        if not data:
            if not self._output_over:
                self._poll.unregister(self._output)
            self._output_over = True
            return False
        self._printed += data[: max(self._output_bytes - len(self._printed), 0)]
        self._tail = (self._tail + data)[-TAIL_BYTES:]
        return True

    def close(self) -> None:
        """Take the rest of what the dead worker printed, and hang up."""
        self._drain()
        self._closed = True
        self._stream.close()
        os.close(self._output)

    def _drain(self) -> None:
        """Read what is there, up to a few megabytes: a flood must not keep us here."""
        for _ in range(64):
            if self._closed or not self._drain_once():
                return

    def printed(self) -> str:
        """Return what the student printed, cleaned for display, without any last words."""
        self._drain()
        return clean(LAST_WORDS.split(self._printed.decode(errors="replace"))[0])

    def last_line(self, file: str) -> int | None:
        """Return the line of `file` in the worker's last words: a crash's or a hang's."""
        words = self._tail.decode(errors="replace").rpartition(DUMP)[2]
        found = re.search(rf'File "{re.escape(file)}", line (\d{{1,7}})', words)
        return int(found[1]) if found else None


def clean(text: str, limit: int | None = None) -> str:
    """Return `text` without control and direction characters (newline and tab stay), cut to length.

    Examples
    --------
    >>> clean("a\\x1b[31mred\\u202e")
    'a[31mred'
    """
    kept = (c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    whole = "".join(kept)
    return whole if limit is None or len(whole) <= limit else whole[: limit - 3] + "..."
