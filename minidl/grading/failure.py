"""What a submission's failure is called, and the one sentence the student reads about it.

The worker's own words about it are cleaned, cut to length, and checked where they can be: the line
must be one of the file. For hidden checks nothing is left but the exception's type, where it is
one of Python's, NumPy's or Numba's own, and the student's own line: a message or a class name could
carry a hidden input. (Which line it is, how long a call takes and which checks pass could, too, a
few bits at a time. A class is graded on the same inputs; another secret draws others.)
"""

from __future__ import annotations

import builtins
import signal
from typing import Any

from .channel import clean
from .student import Kind, StudentFailure

MAX_MESSAGE, MAX_LINE = 500, 120
NO_VALUE = "something that is no array, number, string, None, or tuple, list or dict of these"
LIBRARY_ERRORS = {"LinAlgError", "AxisError", "UFuncTypeError", "DTypePromotionError"}
LIBRARY_ERRORS |= {"TypingError", "LoweringError", "UnsupportedError", "UnsupportedBytecodeError"}


class Reporter:
    """Turns the ends of a submission's calls into StudentFailures.

    Parameters
    ----------
    file : the submission's file name, as tracebacks have it.
    source : its bytes, for the text of a line.
    hidden : whether to redact.
    """

    def __init__(self, file: str, source: bytes, hidden: bool) -> None:
        """Keep the lines of the file."""
        self.file = file
        self._hidden = hidden
        self._lines = source.decode(errors="replace").split("\n")

    def failure(self, kind: Kind, message: str, line: object = None) -> StudentFailure:
        """Return a failure; a line of the file is quoted, any other is forgotten."""
        message = " ".join(clean(message, MAX_MESSAGE).split())
        if type(line) is not int or not 1 <= line <= len(self._lines):
            return StudentFailure(kind, message)
        text = clean(self._lines[line - 1].strip(), MAX_LINE)
        return StudentFailure(kind, f"{message} (line {line}: `{text}`)", line)

    def said(self, answer: Any, what: str, kind_of_what: str = "function") -> StudentFailure:
        """Return the failure a worker's answer reports about itself.

        Parameters
        ----------
        answer : anything: {"failed": kind, "text": str, "type": str, "line": int or None}, or not.
        what : the function or class that was called.
        kind_of_what : "function" or "class".
        """
        if type(answer) is not dict or set(answer) != {"failed", "text", "type", "line"}:
            return self.failure("protocol", f"{what} answered with {NO_VALUE}")
        kind, text, error, line = (answer[key] for key in ("failed", "text", "type", "line"))
        kind = kind if type(kind) is str else ""  # an array would be compared number by number
        if kind == "missing":
            return self.failure("missing", f"there is no {kind_of_what} named {what}")
        if kind == "memory":
            return self.failure("memory", f"{what} ran out of memory", line)
        if kind == "protocol":
            shown = f"its result is {NO_VALUE}" if self._hidden else str(text)
            return self.failure("protocol", f"{what}: {shown}", line)
        return self.failure("raised", self._exception(str(error), str(text)), line)

    def _exception(self, error: str, text: str) -> str:
        if not self._hidden:
            return f"{error}: {text}" if text.strip() else error
        own = getattr(builtins, error, None)
        known = isinstance(own, type) and issubclass(own, BaseException)
        return error if known or error in LIBRARY_ERRORS else "an exception of its own class"

    def timeout(self, what: str, seconds: float, line: int | None) -> StudentFailure:
        """Return the failure of a call that did not answer in time."""
        message = (
            f"{what} took longer than {seconds:g} s and was stopped; is there an endless loop?"
        )
        return self.failure("timeout", message, line)

    def crash(self, what: str, status: int | None, line: int | None) -> StudentFailure:
        """Return the failure of a process that ended; `status` is None where it was killed."""
        if status is None:
            return self.failure("crashed", f"{what} cut its connection to the grader", line)
        number = status & 0x7F
        if number == 0:
            return self.failure(
                "crashed", f"{what} ended its process (exit code {status >> 8})", line
            )
        if number == signal.SIGXCPU:
            return self.failure("timeout", f"{what} used up its processor time", line)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        return self.failure("crashed", f"{what} crashed its process ({name})", line)
