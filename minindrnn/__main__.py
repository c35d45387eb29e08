"""python -m minindrnn COMMAND"""
import sys

from .cli.commands import main

if sys.stdout:
    sys.stdout.reconfigure(errors="replace")     # a terminal that lacks a letter is no reason to stop
sys.exit(main())
