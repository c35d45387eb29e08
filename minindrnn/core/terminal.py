"""Output to the terminal, also if there is none."""
import os
import sys
import threading
from contextlib import suppress


class Tolerant:
    """A stream, or None. If writing to it fails, later output is discarded, and the work goes on."""

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def __eq__(self, other):                               # a progress bar compares its stream with others
        return self.stream == getattr(other, "stream", other)

    def write(self, text):
        self._attempt("write", text)

    def flush(self):
        self._attempt("flush")

    def _attempt(self, name, *arguments):
        if self.stream is not None:
            try:
                getattr(self.stream, name)(*arguments)
            except (OSError, ValueError):                  # ValueError: the stream is closed
                silence(self.stream)
                self.stream = None


def silence(stream):
    """Discard what a stream still buffers: Python would write it at exit and report an error."""
    with suppress(AttributeError, OSError, ValueError), open(os.devnull, "w") as null:
        os.dup2(null.fileno(), stream.fileno())


def printable(text):
    """The text on one line, with control characters, which names may contain, escaped as in Python.

    >>> print(printable("a\\x1b[31mb\\nc"))
    a\\x1b[31mb\\nc
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(text))


def tell(message):
    """Print one line that is not a result, to stderr."""
    print(printable(message), file=Tolerant(sys.stderr), flush=True)


def say_if_slow(message, say, work, seconds=1.0):
    """Do the work and return its result; if it takes longer than so many seconds, say the message."""
    timer = threading.Timer(seconds, say, [message])
    timer.start()
    try:
        return work()
    finally:
        timer.cancel()
