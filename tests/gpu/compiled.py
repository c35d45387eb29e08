"""What the CUDA compiler makes of a kernel, on a machine without a GPU or a driver.

A Numba kernel becomes PTX (libnvvm), PTX becomes the machine code of one architecture (ptxas), machine code becomes
readable again (nvdisasm). The first two come with the extras cuda12 and cuda13, the last only with the package
nvidia-cuda-nvdisasm. Numba asks the driver for the present device as soon as a kernel calls another function; here it
is told the architecture instead, so this module belongs in a process that launches no kernels.
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


def available():
    """None, or in one line why no kernel can be compiled here."""
    if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        return "the simulator has no compiler"
    if importlib.util.find_spec("numba_cuda") is None:
        return "no CUDA compiler: numba-cuda is not installed (extra cuda12 or cuda13)"
    from cuda.pathfinder import load_nvidia_dynamic_lib
    for library in ("nvvm", "nvrtc"):
        try:
            load_nvidia_dynamic_lib(library)
        except Exception as error:
            return f"no CUDA compiler: {library} is missing ({type(error).__name__}; extra cuda12 or cuda13)"
    return None


@functools.cache
def tool(name):
    """Path of a program: from the packages that libnvvm came in, so that it knows its PTX; else from PATH; or None."""
    nvidia = importlib.util.find_spec("nvidia")
    for folder in nvidia.submodule_search_locations if nvidia else ():
        for found in sorted(Path(folder).glob(f"*/bin/{name}")):
            return str(found)
    return shutil.which(name)


def compile_ptx(kernel, arguments, capability):
    """PTX of a kernel for NumPy arrays and numbers like these, for a compute capability such as (8, 0).

    The entry gets the short name of the function in place of the one that spells out every type."""
    import numba.cuda.dispatcher
    from numba import cuda, typeof
    numba.cuda.dispatcher.get_current_device = lambda: types.SimpleNamespace(compute_capability=capability)
    ptx, _ = cuda.compile_ptx(kernel.py_func, tuple(typeof(argument) for argument in arguments), cc=capability)
    return ptx.replace(re.search(r"\.entry\s+([\w$]+)", ptx).group(1), kernel.py_func.__name__)


def opcodes(ptx):
    """The instructions' names, in order."""
    return re.findall(r"^\s+(?:@!?%\w+\s+)?([a-z][\w.]+)\s", ptx, re.MULTILINE)


def assemble(ptx, capability):
    """What ptxas says of the machine code, {registers, stack, spills}, and the code itself."""
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder, "kernel.ptx"), Path(folder, "kernel.cubin")
        source.write_text(ptx)
        said = subprocess.run([tool("ptxas"), "-v", "-arch=sm_%d%d" % capability, source, "-o", binary],
                              check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
        code = binary.read_bytes()
    stack, stores, loads = map(int, re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, "
                                              r"(\d+) bytes spill loads", said).groups())
    registers = int(re.search(r"Used (\d+) registers", said).group(1))
    return {"registers": registers, "stack": stack, "spills": stores + loads}, code


def loads_together(code):
    """The largest number of loads from global memory with no store, jump or label between them."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as binary:
        binary.write(code)
        binary.flush()
        lines = subprocess.run([tool("nvdisasm"), "-c", binary.name], check=True, capture_output=True, text=True).stdout
    order = re.findall(r"\b(?:LDG|STG|BRA)\b|^\.L\w+:", lines, re.MULTILINE)
    return max(map(len, "".join("L" if word == "LDG" else " " for word in order).split()), default=0)
