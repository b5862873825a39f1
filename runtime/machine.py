"""What this machine is, as far as compiled engines care: its record, and the key of the record.

Asks the NVIDIA driver through ctypes; no driver is an answer, not a fault. `hard` fields make the
key: an engine built under other ones is refused. A `soft` field that differs asks for the engine to
be verified again. `informative` fields are for people. Knows nothing of graphs.
"""

import ctypes
import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from runtime.cli import Parser, option, run
from runtime.errors import BackendMissing
from runtime.processor import processor

FORMAT = 1
MEMORY_STEP = 256 * 2**20  # drivers reserve some, and not always the same
CUDA_LIBRARY = "nvcuda.dll" if os.name == "nt" else "libcuda.so.1"
MANAGEMENT_LIBRARY = "nvml.dll" if os.name == "nt" else "libnvidia-ml.so.1"
DRIVER_FILE = Path("/proc/driver/nvidia/version")
KERNEL_MODULE = "Kernel Module"
TEXT_BYTES = 256
MISSING_LIBRARY = "none"
LIBRARIES = {
    "tensorrt": ("tensorrt", "tensorrt_cu13", "tensorrt_cu12"),
    "tensorrt_rtx": ("tensorrt_rtx", "tensorrt_rtx_cu13", "tensorrt_rtx_cu12"),
}
PORTABLE = ("tensorrt_rtx",)  # whose engines run on every card of their compute capability
CAPABILITIES = ("compute_capability",)
MAJOR, MINOR = 75, 76  # numbers of CUdevice_attribute
ATTRIBUTES = {
    "sm_count": 16,
    "l2_bytes": 38,
    "bus_width": 37,
    "smem_per_block": 8,
    "smem_per_sm": 81,
    "smem_optin": 97,
    "regs_per_sm": 82,
    "texture_alignment": 14,
    "integrated": 18,
    "ecc": 32,
}
CLOCKS = {"clock_khz": 13, "memory_clock_khz": 36}

Fields = Mapping[str, int | str]
Loader = Callable[[str], Any]
Versions = Callable[[str], str]


@dataclass(frozen=True)
class MachineRecord:
    """One machine with one engine library.

    Attributes:
        hard: what an engine depends on; the key is made of it alone.
        soft: what asks for a new verification when it differs.
        informative: for people.
        missing: why no engine can be built or run here; empty if one can.
    """

    hard: Fields
    soft: Fields = field(default_factory=dict)
    informative: Fields = field(default_factory=dict)
    missing: str = ""

    @property
    def id(self) -> str:
        """A readable head and 12 digits over the hard fields; letters, digits, `.`, `-`, `_`."""
        digest = hashlib.sha256(canonical_json(self.hard).encode()).hexdigest()[:12]
        if "compute_capability" not in self.hard:
            return f"{self.hard['arch']}-cpu-{digest}"
        short = ".".join(str(self.hard["trt_version"]).split(".")[:2])
        kind = "rtx" if self.hard["trt_flavour"] == "tensorrt_rtx" else "trt"
        return f"sm{str(self.hard['compute_capability']).replace('.', '')}-{kind}{short}-{digest}"

    @property
    def described(self) -> str:
        """In a few words, for messages."""
        if "compute_capability" not in self.hard:
            return f"a machine without NVIDIA GPU ({self.hard['arch']})"
        capability = str(self.hard["compute_capability"]).replace(".", "")
        library = f"{self.hard['trt_flavour']} {self.hard['trt_version']}"
        return f"{self.gpu_name} sm{capability} {library}"

    @property
    def gpu_name(self) -> str:
        """Of the card; empty where there is none."""
        return f"{self.hard.get('gpu_name') or self.soft.get('gpu_name', '')}"

    def as_json(self) -> dict[str, Any]:
        """The record as it is written to files."""
        return {"format": FORMAT, "id": self.id, **asdict(self)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "MachineRecord":
        """The record that a file holds."""
        return cls(
            hard=stored["hard"],
            soft=stored["soft"],
            informative=stored["informative"],
            missing=stored["missing"],
        )


def canonical_json(fields: Any) -> str:
    """One spelling for equal content: sorted keys, no spaces."""
    return json.dumps(fields, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def differing(built: Fields, here: Fields) -> list[str]:
    """A phrase per field that is not the same: its name, what it was, what it is here."""
    names = sorted({*built, *here})
    return [
        f"{name} was {built.get(name, 'absent')}, is {here.get(name, 'absent')}"
        for name in names
        if built.get(name) != here.get(name)
    ]


def machine_record(
    library: str = "tensorrt",
    device: int = 0,
    load: Loader = ctypes.CDLL,
    installed: Versions = version,
) -> MachineRecord:
    """What this machine is.

    Args:
        library: key of LIBRARIES, what engines are built with.
        device: number of the GPU.
        load: opens a shared library by name; raises OSError where there is none.
        installed: version of a package; raises PackageNotFoundError where there is none.

    Returns:
        The record; without a driver, a GPU or the library its `missing` says which.
    """
    trt = _library_fields(library, installed)
    host: dict[str, int | str] = {"os": platform.system(), "arch": platform.machine()}
    informative = _versions(installed) | {"cpu": processor()}
    try:
        gpu = _Gpu(load, device)
        card = gpu.card()
        soft: dict[str, int | str] = {"driver": _driver_version(load), **gpu.driver_api()}
        if library in PORTABLE:
            soft["gpu_name"] = card.pop("gpu_name")
            informative |= {name: card.pop(name) for name in [*card] if name not in CAPABILITIES}
        hard = host | card | trt
        informative |= gpu.informative()
    except _NoGpuError as reason:
        # nothing is built here, but timings of two processors must not be taken for one another
        return MachineRecord(host | {"cpu": processor()}, {}, informative, f"{reason}")
    missing = ""
    if trt["trt_version"] == MISSING_LIBRARY:
        missing = f"{library} is not installed"
    return MachineRecord(hard, soft, informative, missing)


def require_gpu(record: MachineRecord, where: str) -> None:
    """Refuse a machine that can't build or run engines.

    Raises:
        BackendMissing: one line with what is missing.
    """
    if record.missing:
        raise BackendMissing(
            f"{where}: {record.missing}; run it on a machine with an NVIDIA GPU, its driver and the"
            " engine library, or set engines: auto to leave engines out"
        )


def _library_fields(library: str, installed: Versions) -> dict[str, int | str]:
    """Version of the engine library, and the CUDA major that its packages are named after."""
    found = {name: _version_of(name, installed) for name in LIBRARIES[library]}
    versions = [text for text in found.values() if text != MISSING_LIBRARY]
    majors = [
        name[-2:] for name, text in found.items() if text != MISSING_LIBRARY and "_cu" in name
    ]
    return {
        "trt_flavour": library,
        "trt_version": versions[0] if versions else MISSING_LIBRARY,
        "trt_cuda_major": majors[0] if majors else MISSING_LIBRARY,
    }


def _version_of(package: str, installed: Versions) -> str:
    try:
        return installed(package)
    except PackageNotFoundError:
        return MISSING_LIBRARY


def _versions(installed: Versions) -> dict[str, int | str]:
    packages = ("numpy", "onnxruntime", "sovits-foundry")
    found: dict[str, int | str] = {"python": platform.python_version()}
    return found | {package: _version_of(package, installed) for package in packages}


class _NoGpuError(Exception):
    """Why the driver has no GPU for us."""


class _Gpu:
    """One device of the CUDA driver."""

    def __init__(self, load: Loader, number: int) -> None:
        try:
            self._cuda = load(CUDA_LIBRARY)
        except OSError:
            raise _NoGpuError(f"no NVIDIA driver ({CUDA_LIBRARY} not found)") from None
        self._ask("cuInit", 0)
        self._number = number
        handle = ctypes.c_int()
        self._ask("cuDeviceGet", ctypes.byref(handle), number)
        self._device = handle

    def _ask(self, name: str, *arguments: Any) -> None:
        status = getattr(self._cuda, name)(*arguments)
        if status:
            raise _NoGpuError(f"no usable NVIDIA GPU ({name} answers with error {status})")

    def _attribute(self, number: int) -> int:
        value = ctypes.c_int()
        self._ask("cuDeviceGetAttribute", ctypes.byref(value), number, self._device)
        return value.value

    def driver_api(self) -> dict[str, int | str]:
        """The newest CUDA that the driver runs."""
        cuda = ctypes.c_int()
        self._ask("cuDriverGetVersion", ctypes.byref(cuda))
        return {"cuda_driver_api": f"{cuda.value // 1000}.{cuda.value % 1000 // 10}"}

    def card(self) -> dict[str, int | str]:
        """What kernels were chosen for."""
        name = ctypes.create_string_buffer(TEXT_BYTES)
        self._ask("cuDeviceGetName", name, TEXT_BYTES, self._device)
        memory = ctypes.c_size_t()
        self._ask("cuDeviceTotalMem_v2", ctypes.byref(memory), self._device)
        return {
            "gpu_name": name.value.decode("utf-8", "replace"),
            "compute_capability": f"{self._attribute(MAJOR)}.{self._attribute(MINOR)}",
            "total_memory": memory.value // MEMORY_STEP * MEMORY_STEP,
            **{field: self._attribute(number) for field, number in ATTRIBUTES.items()},
        }

    def informative(self) -> dict[str, int | str]:
        """Which of several equal cards it is, and how fast it may run."""
        uuid = (ctypes.c_ubyte * 16)()
        self._ask("cuDeviceGetUuid", ctypes.byref(uuid), self._device)
        address = ctypes.create_string_buffer(TEXT_BYTES)
        self._ask("cuDeviceGetPCIBusId", address, TEXT_BYTES, self._device)
        return {
            "uuid": bytes(uuid).hex(),
            "pci": address.value.decode("ascii", "replace"),
            "index": self._number,
            **{field: self._attribute(number) for field, number in CLOCKS.items()},
        }


def _driver_version(load: Loader) -> str:
    """Of NVIDIA's management library, else of the kernel module, else "unknown"."""
    try:
        management = load(MANAGEMENT_LIBRARY)
        text = ctypes.create_string_buffer(TEXT_BYTES)
        if not management.nvmlInit_v2():
            answered = management.nvmlSystemGetDriverVersion(text, TEXT_BYTES)
            management.nvmlShutdown()
            if not answered:
                return text.value.decode("ascii", "replace")
    except OSError:
        pass
    content = DRIVER_FILE.read_text("utf-8", "replace") if DRIVER_FILE.exists() else ""
    _, _, behind = content.partition(KERNEL_MODULE)
    return (behind.split() or ["unknown"])[0]


def main(argv: list[str] | None = None) -> None:
    """Print the record, or write it."""
    parser = Parser(
        command="machine",
        description="Print what this machine is, as far as compiled engines care, as JSON.",
        allow_abbrev=False,
    )
    option(parser, "--library", choices=LIBRARIES, default="tensorrt", help="builds the engines")
    option(parser, "--device", type=int, default=0, help="number of the GPU (default: 0)")
    option(parser, "--require", action="store_true", help="fail where engines can't be built")
    option(parser, "--output", type=Path, metavar="JSON", help="write it there instead")
    args = parser.parse_args(argv)
    record = machine_record(args.library, args.device)
    if args.require:
        require_gpu(record, "engines: require")
    text = json.dumps(record.as_json(), ensure_ascii=False, indent=2) + "\n"
    if args.output is None:
        sys.stdout.write(text)
        return
    args.output.parent.mkdir(parents=True, exist_ok=True)
    part = args.output.with_name(f".{args.output.name}.part")
    part.write_text(text, "utf-8")
    part.replace(args.output)


if __name__ == "__main__":
    run(main)
