import os
import signal
import time

import pytest

from minindrnn.core.interrupt import Interruption
from minindrnn.core.terminal import say_if_slow


def test_interruption_asks_once_and_then_insists():
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interrupted:
        assert not interrupted()
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
    assert signal.getsignal(signal.SIGINT) is before


def test_it_says_so_only_when_it_is_slow():
    said = []
    assert say_if_slow("fast", said.append, lambda: 3, seconds=5) == 3
    say_if_slow("slow", said.append, lambda: time.sleep(0.3), seconds=0.05)
    assert said == ["slow"]
