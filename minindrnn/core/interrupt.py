"""How Ctrl-C is handled."""
import os
import signal
import threading
from contextlib import contextmanager


def begin():
    """Prepare a process of `python -m minindrnn` before it imports anything large: Ctrl-C ends it without a traceback,
    and no file that it opens gets the number of a closed standard stream."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)                 # takes the lowest free number, this one
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def _end(*_):
    os._exit(130)


@contextmanager
def interruptible():
    """Let Ctrl-C raise KeyboardInterrupt within this context, if `begin` has made it end the process."""
    ends = signal.getsignal(signal.SIGINT) is _end
    if ends:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if ends:
            signal.signal(signal.SIGINT, _end)


class Interruption:
    """While active, the first Ctrl-C (or SIGTERM) only makes a call return True; the second one interrupts."""

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
