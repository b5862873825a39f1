"""What is asked of CUDA: every answer is checked, and every name exists where it is installed."""

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from runtime.backends import device
from runtime.backends.device import CudaDevice
from runtime.backends.engines import CUDA
from runtime.errors import MachineError
from runtime.machine import machine_record

UNVERIFIED = "unverified: that cuda-bindings has the functions that we call (pip install it)"


class Failing:
    """CUDA's functions where one fails; the others answer with numbers."""

    cudaHostAllocDefault = cudaStreamNonBlocking = 0  # noqa: N815 - the library's own names
    cudaMemcpyKind = SimpleNamespace(  # noqa: N815
        cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2, cudaMemcpyDeviceToDevice=3
    )
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal=1)  # noqa: N815

    def __init__(self, failing: str = "") -> None:
        self.called: list[tuple[str, Any]] = []
        self._failing = failing

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> tuple[int, int]:
            self.called.append((name, arguments))
            return (2 if name == self._failing else 0), 64

        return call


def test_what_cuda_answers_is_checked() -> None:
    with pytest.raises(MachineError, match="CUDA: cudaSetDevice answers with 2"):
        CudaDevice(Failing("cudaSetDevice"))  # type: ignore[arg-type]
    with pytest.raises(MachineError, match="CUDA: cudaMalloc answers with 2"):
        CudaDevice(Failing("cudaMalloc")).allocate(8)  # type: ignore[arg-type]


def test_copies_go_the_way_that_they_are_meant_to() -> None:
    cudart = Failing()
    device = CudaDevice(cudart)  # type: ignore[arg-type]
    array = np.zeros(3, np.float32)
    device.upload(7, array, 5)
    device.download(array, 7, 5)
    device.copy(8, 7, 12, 5)
    copies = [arguments for name, arguments in cudart.called if name == "cudaMemcpyAsync"]
    here = array.ctypes.data
    assert copies == [(7, here, 12, 1, 5), (here, 7, 12, 2, 5), (8, 7, 12, 3, 5)]


def asked_for() -> set[str]:
    """Names of CUDA in the source."""
    tree = ast.walk(ast.parse(Path(device.__file__).read_text("utf-8")))
    names = {
        node.value if isinstance(node, ast.Constant) else node.attr
        for node in tree
        if isinstance(node, ast.Constant | ast.Attribute)
    }
    return {name for name in names if isinstance(name, str) and name.isidentifier()}


def test_every_name_exists_in_cuda_bindings() -> None:
    cudart = pytest.importorskip(CUDA, reason=UNVERIFIED)
    names = {name for name in asked_for() if name.startswith("cuda") and name[4:5].isupper()}
    assert {"cudaMalloc", "cudaGraphLaunch", "cudaMemcpyKind"} <= names
    kinds = (cudart.cudaMemcpyKind, cudart.cudaStreamCaptureMode)
    assert [n for n in names if not any(hasattr(owner, n) for owner in (cudart, *kinds))] == []


def test_without_a_driver_cuda_s_own_word_is_told() -> None:
    cudart = pytest.importorskip(CUDA, reason=UNVERIFIED)
    if not machine_record().missing.startswith("no NVIDIA driver"):
        pytest.skip("this machine has a driver")
    with pytest.raises(MachineError, match="cudaSetDevice answers with cudaErrorInsufficientDriv"):
        CudaDevice(cudart)
