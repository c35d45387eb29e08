"""python -m minindrnn COMMAND"""
import signal
import sys

from .cli.commands import main

if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)         # `core.interrupt.begin` has set another one
if sys.stdout:
    sys.stdout.reconfigure(errors="replace")     # a terminal that lacks a letter is no reason to stop
sys.exit(main())
