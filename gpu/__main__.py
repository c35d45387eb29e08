"""The command line of the kernels: python -m minindrnn.gpu report."""
import sys

from minindrnn.cli.parser import Parser

from . import compiler
from .estimate import report


def main(argv=None):
    top = Parser(prog="python -m minindrnn.gpu", description="The CUDA kernels, looked at without a GPU.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("report", help="print their speed on paper", description=(
        "Print what the compiled kernels let one expect on two GPUs: registers, loads ahead, instructions and bytes of "
        "a step, and the least time for the papers' shapes. Estimates: nothing is run. Needs the compiler of the extra "
        "cuda12."))
    top.parse_args(argv)
    try:
        reason = compiler.missing()
        if not reason and not compiler.tool("ptxas"):
            reason = "no ptxas (pip install 'minindrnn[cuda12]', or nvidia-cuda-nvcc beside cuda13)"
        if reason:
            top.exit(2, f"{top.prog} report: {reason}\n")
        for line in report():
            print(line, flush=True)
    except BrokenPipeError:                      # the reader of the output has closed it
        sys.stderr.close()
        return 1
    except KeyboardInterrupt:
        top.exit(130, "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
