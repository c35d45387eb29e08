"""Output to the terminal, and to streams that are closed or full."""
import os
import sys
import threading
from contextlib import suppress


class Tolerant:
    """A stream, or None. After a failed write it discards all output, and the work goes on."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def __eq__(self, other):                               # by which a progress bar knows whose line it is in
        return self.stream == getattr(other, "stream", other)

    def write(self, text):
        self._attempt("write", text)

    def flush(self):
        self._attempt("flush")

    def _attempt(self, name, *arguments):
        if self.stream is not None:
            try:
                getattr(self.stream, name)(*arguments)
            except (OSError, ValueError):                  # ValueError: it was closed
                silence(self.stream)
                self.stream = None


def silence(stream):
    """Let what a stream still holds go nowhere: Python writes it when it exits, and would complain then."""
    with suppress(AttributeError, OSError, ValueError), open(os.devnull, "w") as null:
        os.dup2(null.fileno(), stream.fileno())


def printable(text):
    """The text as it may stand in one line: control characters, which names may contain, as Python writes them.

    >>> print(printable("a\\x1b[31mb\\nc"))
    a\\x1b[31mb\\nc
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(text))


def tell(message):
    """Say something that is not a result, in one line: to stderr."""
    print(printable(message), file=Tolerant(sys.stderr), flush=True)


def say_if_slow(message, say, work, seconds=1.0):
    """Do the work and return its result; if it is not done after so many seconds, say the message."""
    timer = threading.Timer(seconds, say, [message])
    timer.start()
    try:
        return work()
    finally:
        timer.cancel()
