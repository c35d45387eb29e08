"""What someone at the console can do while work is under way, Ctrl-C, and is told if it takes long."""
import signal
import threading


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
