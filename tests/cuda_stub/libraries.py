"""CUDA's libraries without a GPU, made for one onnxruntime-gpu wheel, and that wheel unpacked.

They let the wheel open sessions, place nodes, record and launch on any Linux machine with gcc. What
comes back are no numbers: they prove structure, never results.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import defaultdict
from pathlib import Path

from tests.once import once

WHEEL = "ONNXRUNTIME_GPU_WHEEL"  # environment variable: the file
PROVIDER = "onnxruntime/capi/libonnxruntime_providers_cuda.so"
UNUSED = "libonnxruntime_providers_tensorrt.so"
CUDART_CODE = Path(__file__).with_name("cudart.c")
CUDART, CUDNN, DRIVER = "libcudart.so.13", "libcudnn.so.9", "libcuda.so.1"
UNVERSIONED = (CUDNN, DRIVER)
LIBRARIES = ("libcublas.so.13", "libcublasLt.so.13", "libcurand.so.10", CUDNN, DRIVER)
DONE = "{return 0;}"
HANDLE = "{*(void**)handle=(void*)1;return 0;}"
BODIES = {  # of functions that have to answer with more than success
    r"cublasCreate_v2|cudnnCreate\w*|cublasLt\w*Create": f"(void*handle){HANDLE}",
    "cudnnBackendCreateDescriptor": f"(int kind,void*handle){HANDLE}",
    "cublasLtMatmulAlgoGetHeuristic": (
        "(void*a,void*b,void*c,void*d,void*e,void*f,void*g,int n,char*to,int*found)"
        "{for(int i=0;i<96;i++)to[i]=0;*found=1;return 0;}"
    ),
    "cublasGetMathMode": "(void*a,int*mode){*mode=0;return 0;}",
    "cudnnGetLastErrorString": "(char*to,unsigned long size){if(size)*to=0;return 0;}",
    "cudnnBackendGetAttribute": (
        "(void*a,int b,int kind,long asked,long*count,long*to)"
        "{if(count)*count=1;if(to&&asked>0&&kind!=15)*to=0;return 0;}"
    ),
    "cudnnGetVersion": "(){return 91300;}",
    "cudnnGetCudartVersion": "(){return 13000;}",
    r"cudnnGetReduction\w*Size": "(void*a,void*b,void*c,void*d,long*size){*size=1024;return 0;}",
    r"\w+Get(Status|Error)(Name|String)": "(){static long text[]={0};return (long)text;}",
}
LAUNCHES = re.compile(
    r"emm|geam|Matmul$|Transform$|copy|scal|getr|ReduceTensor$|Forward$|BackendExecute"
)
PLANS = "cudnnBackendFinalize"  # at the end of each descriptor of a plan


def lacking() -> str:
    """Why the stub can't be had here; empty if it can."""
    if sys.platform != "linux":
        return "the stub is for Linux"
    if lacks := [tool for tool in ("gcc", "nm") if shutil.which(tool) is None]:
        return f"{lacks[0]} is not there"
    if not Path(os.environ.get(WHEEL, "")).is_file():
        return f"{WHEEL} names no file; pip download --no-deps onnxruntime-gpu==1.31.1"
    return ""


def site() -> Path:
    """A folder with the package `onnxruntime` of the wheel."""

    def unpack(folder: Path) -> None:
        with zipfile.ZipFile(os.environ[WHEEL]) as wheel:
            names = [n for n in wheel.namelist() if not n.endswith(UNUSED)]
            wheel.extractall(folder, names)

    return once(unpack, "onnxruntime-gpu", os.environ[WHEEL])


def libraries() -> Path:
    """A folder with CUDA's libraries, as the wheel wants them."""

    def build(folder: Path) -> None:
        wanted = _wanted(site() / PROVIDER)
        known = CUDART_CODE.read_text("utf-8")
        more = [f"int {n}(){DONE}" for n in sorted(wanted[CUDART]) if f"{n}(" not in known]
        _compile(folder, CUDART, "\n".join([known, *more]))
        for soname in LIBRARIES:
            functions = map(_function, sorted(wanted[soname]))
            _compile(folder, soname, "\n".join(["void stub_note(const char*);", *functions]))

    return once(build, "cuda stub", os.environ[WHEEL])


def _wanted(provider: Path) -> dict[str, set[str]]:
    """Functions by library: those that the linker finds, and those that are found by name."""
    listed = subprocess.run(
        ["nm", "-D", "--undefined-only", f"{provider}"],
        capture_output=True,
        check=True,
        text=True,
    )
    found: dict[str, set[str]] = defaultdict(set)
    for line in listed.stdout.splitlines():
        name, _, library = line.split()[-1].partition("@")
        found[library or DRIVER * name.startswith("cu")].add(name)
    found[DRIVER].add("cuInit")
    found["libcurand.so.10"].add("curandCreateGenerator")
    names = re.findall(rb"\0(cudnn[A-Z]\w+)(?=\0)", provider.read_bytes())
    found[CUDNN] |= {name.decode() for name in names}
    return found


def _function(name: str) -> str:
    body = next((b for pattern, b in BODIES.items() if re.fullmatch(pattern, name)), "")
    if body:
        return f"long {name}{body}"
    kind = "PLAN" if name == PLANS else "LIBRARY" if LAUNCHES.search(name) else ""
    return f"int {name}()" + (f'{{stub_note("{kind} {name}");return 0;}}' if kind else DONE)


def _compile(folder: Path, soname: str, source: str) -> None:
    code, script = folder / f"{soname}.c", folder / f"{soname}.map"
    code.write_text(source, "utf-8")
    script.write_text(f"{soname if soname not in UNVERSIONED else ''} {{ global: *; }};\n", "utf-8")
    words = ["gcc", "-w", "-O1", "-shared", "-fPIC", f"{code}", "-o", f"{folder / soname}"]
    words += [f"-Wl,-soname,{soname}", f"-Wl,--version-script={script}"]
    if soname != CUDART:
        words += [f"-L{folder}", f"-l:{CUDART}"]
    subprocess.run(words, check=True)
