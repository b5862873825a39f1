"""A driver without a GPU behind it: answers as libcuda and libnvidia-ml do."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError
from typing import Any

from runtime.machine import CUDA_LIBRARY, MANAGEMENT_LIBRARY, MachineRecord, machine_record

H100 = {75: 9, 76: 0, 16: 132, 38: 52428800, 37: 5120, 13: 1980000, 36: 2619000}
NO_DEVICE = 100


@dataclass
class Driver:
    """One card and what its driver says; each function returns 0 or an error as the real one."""

    name: str = "NVIDIA H100"
    memory: int = 85_000_000_000
    attributes: dict[int, int] = field(default_factory=lambda: dict(H100))
    cuda: int = 13010
    driver: str = "580.65.06"
    uuid: int = 7
    devices: int = 1

    def load(self, library: str) -> "Driver":
        if library not in (CUDA_LIBRARY, MANAGEMENT_LIBRARY):
            raise OSError(library)
        return self

    def cuInit(self, flags: int) -> int:  # noqa: N802 - the driver's own names
        return 0 if self.devices else NO_DEVICE

    def cuDeviceGet(self, device: Any, number: int) -> int:  # noqa: N802
        device._obj.value = number
        return 0 if number < self.devices else 101

    def cuDeviceGetName(self, text: Any, size: int, device: Any) -> int:  # noqa: N802
        text.value = self.name.encode()
        return 0

    def cuDeviceTotalMem_v2(self, memory: Any, device: Any) -> int:  # noqa: N802
        memory._obj.value = self.memory
        return 0

    def cuDriverGetVersion(self, number: Any) -> int:  # noqa: N802
        number._obj.value = self.cuda
        return 0

    def cuDeviceGetAttribute(self, value: Any, number: int, device: Any) -> int:  # noqa: N802
        value._obj.value = self.attributes.get(number, 1)
        return 0

    def cuDeviceGetUuid(self, uuid: Any, device: Any) -> int:  # noqa: N802
        uuid._obj[0] = self.uuid
        return 0

    def cuDeviceGetPCIBusId(self, text: Any, size: int, device: Any) -> int:  # noqa: N802
        text.value = b"0000:01:00.0"
        return 0

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return 0

    def nvmlShutdown(self) -> int:  # noqa: N802
        return 0

    def nvmlSystemGetDriverVersion(self, text: Any, size: int) -> int:  # noqa: N802
        text.value = self.driver.encode()
        return 0


def packages(**versions: str) -> Callable[[str], str]:
    """What is installed."""

    def version(package: str) -> str:
        if package not in versions:
            raise PackageNotFoundError(package)
        return versions[package]

    return version


TENSORRT = packages(tensorrt="10.13.3.9", tensorrt_cu13="10.13.3.9")


def record_of(driver: Driver, installed: Callable[[str], str] = TENSORRT) -> MachineRecord:
    return machine_record(load=driver.load, installed=installed)
