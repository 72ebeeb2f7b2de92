"""Ctrl-C: once to end at the next step, twice to end at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

# What `History.stopped` says then.
INTERRUPTED = "interrupted"


class Interrupt:
    """A context manager in which the first Ctrl-C is only noted, in `requested`.

    The second is what it was before: a KeyboardInterrupt. Outside the main thread, or where Ctrl-C
    is ignored, nothing changes.
    """

    def __init__(self) -> None:
        self.requested = False
        self.before: Any = None

    def __enter__(self) -> Interrupt:
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(handler):
            self.before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)
            self.before = None

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            self.before(number, frame)
        self.requested = True
