"""The output of the CUDA compiler for a kernel, on a machine without a GPU or a driver.

libnvvm compiles a Numba kernel to PTX, ptxas assembles PTX to the machine code of one architecture, nvdisasm makes the
machine code readable. The extra cuda12 contains the first two; with cuda13, ptxas is in the package nvidia-cuda-nvcc.
nvdisasm is always in the separate package nvidia-cuda-nvdisasm. Numba asks the driver for the current device as soon as
a kernel calls another function; this module sets the architecture instead, so use it only in a process that launches no
kernels.
"""
import functools
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
import types
from pathlib import Path


def missing():
    """None, or one line that says why no kernel can be compiled here."""
    if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        return "the simulator has no compiler: unset NUMBA_ENABLE_CUDASIM"
    if importlib.util.find_spec("numba_cuda") is None:
        return "no CUDA compiler: numba-cuda is not installed (pip install 'minindrnn[cuda12]' or 'minindrnn[cuda13]')"
    from cuda.pathfinder import load_nvidia_dynamic_lib
    for library in ("nvvm", "nvrtc"):
        try:
            load_nvidia_dynamic_lib(library)
        except Exception as error:
            return (f"no CUDA compiler: {library} is missing, {type(error).__name__} "
                    "(pip install 'minindrnn[cuda12]' or 'minindrnn[cuda13]')")
    return None


@functools.cache
def tool(name):
    """Path of a program: from the packages of libnvvm, so that it understands its PTX; else from PATH; or None."""
    nvidia = importlib.util.find_spec("nvidia")
    for folder in nvidia.submodule_search_locations if nvidia else ():
        for found in sorted(Path(folder).glob(f"*/bin/{name}")):
            return str(found)
    return shutil.which(name)


def compile_ptx(kernel, arguments, capability):
    """PTX of a kernel for NumPy arrays and numbers like these, for a compute capability such as (8, 0).

    The entry has the short name of the function instead of the long name with every type."""
    import numba.cuda.dispatcher
    from numba import cuda, typeof
    numba.cuda.dispatcher.get_current_device = lambda: types.SimpleNamespace(compute_capability=capability)
    ptx, _ = cuda.compile_ptx(kernel.py_func, tuple(typeof(argument) for argument in arguments), cc=capability)
    return ptx.replace(re.search(r"\.entry\s+([\w$]+)", ptx).group(1), kernel.py_func.__name__)


def assemble(ptx, capability):
    """The report of ptxas, {registers, stack, spills, shared}, all but the first in bytes, and the machine code."""
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder, "kernel.ptx"), Path(folder, "kernel.cubin")
        source.write_text(ptx)
        said = subprocess.run([tool("ptxas"), "-v", "-arch=sm_%d%d" % capability, source, "-o", binary],
                              check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
        code = binary.read_bytes()
    stack, stores, loads = map(int, re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, "
                                              r"(\d+) bytes spill loads", said).groups())
    registers, shared = re.search(r"Used (\d+) registers", said), re.search(r"(\d+) bytes smem", said)
    return {"registers": int(registers.group(1)), "stack": stack, "spills": stores + loads,
            "shared": int(shared.group(1)) if shared else 0}, code


def disassemble(code):
    """Machine code as text."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as binary:
        binary.write(code)
        binary.flush()
        return subprocess.run([tool("nvdisasm"), "-c", binary.name], check=True, capture_output=True, text=True).stdout


def instructions(text):
    """[(name, operands)] of PTX or of disassembled machine code, in order; a label is (None, its name)."""
    label, address, guard = r"([.$]L\w+):", r"(?:/\*\w+\*/\s*)?", r"(?:@!?%?\w+\s+)?"
    found = re.findall(rf"^\s*(?:{label}|{address}{guard}([A-Za-z][\w.]*)(?:\s+([^;]*))?;)", text, re.MULTILINE)
    return [(None, label) if label else (name, operands) for label, name, operands in found]


def loads_together(text):
    """The largest number of loads from global memory with no store, jump or label between them."""
    most, now = 0, 0
    for name, _ in instructions(text):
        if name is None or is_store(name) or is_jump(name):
            now = 0
        elif is_load(name):
            now += 1
            most = max(most, now)
    return most


def main_loop(text):
    """Names of the instructions of the loop with the most stores to global memory; the shortest of several. A loop runs
    from a label to the jump back to it. Empty if there is no loop."""
    listed, labels, best = instructions(text), {}, []

    def rank(body):
        return sum(map(is_store, body)), -len(body)

    for i, (name, operands) in enumerate(listed):
        if name is None:
            labels[operands] = i
        elif is_jump(name):
            target = re.search(r"[.$]L\w+", operands)
            if target and target.group() in labels:
                body = [word for word, _ in listed[labels[target.group()]:i + 1] if word]
                best = max(best, body, key=rank)
    return best


def is_load(name):
    return name.startswith(("LDG", "ld.global"))


def is_store(name):
    return name.startswith(("STG", "st.global"))


def is_jump(name):
    return name.split(".")[0] in ("BRA", "bra")
