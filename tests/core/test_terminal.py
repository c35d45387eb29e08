import time

from minindrnn.core.terminal import say_if_slow


def test_it_says_so_only_when_it_is_slow():
    said = []
    assert say_if_slow("fast", said.append, lambda: 3, seconds=5) == 3
    say_if_slow("slow", said.append, lambda: time.sleep(0.3), seconds=0.05)
    assert said == ["slow"]
