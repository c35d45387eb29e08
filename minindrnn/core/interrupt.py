"""The terminal: what ends up there, what Ctrl-C does, and what happens where there is none."""
import os
import signal
import sys
import threading
from contextlib import suppress


def begin():
    """Prepare a process that `python -m minindrnn` has started, before it imports anything large: Ctrl-C ends it
    without a traceback, and no file that it opens gets the number of a standard stream that was closed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)                 # takes the lowest number that is free, this one
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))


class Tolerant:
    """A stream, or None. Once it cannot be written to, what is written to it goes nowhere, and the work goes on."""

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


def tell(message):
    """Say something that is not a result: to stderr."""
    print(message, file=Tolerant(sys.stderr), flush=True)


class Interruption:
    """While active, the first Ctrl-C (or SIGTERM) only makes a call answer True; the second one interrupts."""

    def __enter__(self):
        self.asked = False
        self.previous = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.previous[number] = signal.signal(number, self._note)
        return self

    def _note(self, number, frame):
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def __call__(self):
        return self.asked

    def __exit__(self, *_):
        for number, handler in self.previous.items():
            signal.signal(number, handler)


def say_if_slow(message, say, work, seconds=1.0):
    """Do the work and return its result; if it is not done after so many seconds, say the message."""
    timer = threading.Timer(seconds, say, [message])
    timer.start()
    try:
        return work()
    finally:
        timer.cancel()
