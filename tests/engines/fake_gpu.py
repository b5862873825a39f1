"""A GPU and its engines, imitated: memory is numpy, and an engine computes in ONNX Runtime.

Nothing happens before a stream is waited for, and what is uploaded is read as late as that, so that
a buffer that is freed or changed too early shows. It says nothing of how a real GPU behaves.
"""

import hashlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime

from runtime.backends.engine_files import EngineFile, read
from runtime.backends.engine_load import DTYPES
from runtime.machine import MachineRecord, machine_record
from tests.engines.stand_in import made, stand_in, surface
from tests.runtime.fake_driver import Driver, packages
from workflow_scripts.engines.build import _io_tensors

TYPES = {ours: theirs for theirs, ours in DTYPES.items()}
Work = Callable[[], None]


class FakeDevice:
    """Memory by address, streams as lists of work.

    Attributes:
        moved: bytes that went to the device, came from it, and were copied within it.
        launched: how often recorded work was done.
    """

    def __init__(self) -> None:
        self.memory: dict[int, np.ndarray] = {}
        self.moved = {"up": 0, "down": 0, "within": 0}
        self.launched = 0
        self.recording: list[Work] | None = None
        self._streams: list[list[Work]] = []
        self._next = 0x1000
        self._handing_out = threading.Lock()

    def allocate(self, size_bytes: int) -> int:
        assert size_bytes > 0
        with self._handing_out:
            self._next += 0x1000 + size_bytes
            address = self._next
        self.memory[address] = np.zeros(size_bytes, np.uint8)
        return address

    def free(self, address: int) -> None:
        del self.memory[address]

    def host_array(self, shape: Any, dtype: Any) -> np.ndarray:
        return np.zeros(shape, dtype)

    def stream(self) -> int:
        with self._handing_out:
            self._streams.append([])
            return len(self._streams)  # 0 is the default one

    def wait(self, stream: int) -> None:
        assert self.recording is None, "waiting is not possible while work is recorded"
        work = self._streams[stream - 1]
        while work:
            work.pop(0)()

    def enqueue(self, stream: int, work: Work) -> None:
        (self._streams[stream - 1] if self.recording is None else self.recording).append(work)

    def upload(self, address: int, array: np.ndarray, stream: int) -> None:
        assert array.flags.c_contiguous
        self.moved["up"] += array.nbytes
        self.enqueue(stream, lambda: self.write(address, array))

    def download(self, array: np.ndarray, address: int, stream: int) -> None:
        self.moved["down"] += array.nbytes

        def work() -> None:
            array[...] = self.view(address, array.dtype, array.shape)

        self.enqueue(stream, work)

    def copy(self, to: int, source: int, size_bytes: int, stream: int) -> None:
        self.moved["within"] += size_bytes
        self.enqueue(
            stream, lambda: self.write(to, self.view(source, np.dtype("u1"), (size_bytes,)))
        )

    def view(self, address: int, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        size = int(np.prod(shape)) * dtype.itemsize
        assert size <= self.memory[address].size, "beyond the end of its memory"
        return self.memory[address][:size].view(dtype).reshape(shape)

    def write(self, address: int, array: np.ndarray) -> None:
        self.view(address, array.dtype, array.shape)[...] = array

    def begin_capture(self, stream: int) -> None:
        self.recording = []

    def end_capture(self, stream: int) -> list[Work]:
        work, self.recording = self.recording, None
        assert work
        return work

    def drop_capture(self, stream: int) -> None:
        assert self.recording is not None
        self.recording = None

    def launch(self, graph: list[Work], stream: int) -> None:
        self.launched += 1
        for work in graph:
            self.enqueue(stream, work)


def machine_of(release: str, driver: Driver | None = None) -> MachineRecord:
    """A machine with a card and a release of the library."""
    recorded = surface(release)
    name, version = recorded["import_name"], recorded["version"]
    installed = packages(**{name: version, f"{name}_cu13": version})
    return machine_record(name, load=(driver or Driver()).load, installed=installed)


def engine_file(folder: Path, source: Path, machine: MachineRecord, **facts: Any) -> EngineFile:
    """An engine with its sidecar, as a build of `source` leaves it."""
    path = folder / machine.id / f"{source.stem}.engine"
    path.parent.mkdir(parents=True, exist_ok=True)
    plan = b"an engine of " + source.name.encode()
    path.write_bytes(plan)
    model = onnx.load(source, load_external_data=False)
    io_tensors = [
        dict(zip(("name", "mode", "dtype", "shape"), vars(p).values(), strict=True))
        for p in _io_tensors(model.graph)
    ]
    sidecar = {
        "format": 1,
        "graph": source.stem,
        "machine": machine.as_json(),
        "engine": {"sha256": hashlib.sha256(plan).hexdigest(), "bytes": len(plan)},
        "build": {
            "onnx_sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
            "precision": "fp32",
            "arithmetic": "as stored",
            "max_len": 1,
            "profiles": {"step": {}, "prefill": {}},
        },
        "io_tensors": io_tensors,
    }
    path.with_suffix(".json").write_text(json.dumps(sidecar | facts), "utf-8")
    return read(path)


def library(release: str, source: Path, device: FakeDevice, **changes: Any) -> ModuleType:
    """The library, with an engine of `source`; `Class__method` of `changes` replaces an answer."""
    fake = _Engine(source, device)
    answers = {
        "Runtime.deserialize_cuda_engine": lambda self, data: made(fake.trt, "ICudaEngine"),
        "Runtime.get_engine_validity": lambda self, data: (fake.trt.EngineValidity.VALID, 0),
        "ICudaEngine.num_io_tensors": len(fake.io_tensors),
        "ICudaEngine.get_tensor_name": lambda self, i: list(fake.io_tensors)[i],
        "ICudaEngine.get_tensor_mode": lambda self, name: fake.mode(name),
        "ICudaEngine.get_tensor_dtype": lambda self, name: fake.dtype(name),
        "ICudaEngine.get_tensor_shape": lambda self, name: tuple(fake.io_tensors[name].shape),
        "ICudaEngine.get_tensor_location": lambda self, name: fake.trt.TensorLocation.DEVICE,
        "ICudaEngine.is_shape_inference_io": False,
        "ICudaEngine.get_aliased_input_tensor": "",
        "ICudaEngine.create_execution_context": lambda self, strategy: made(
            fake.trt, "IExecutionContext"
        ),
        "IExecutionContext.set_input_shape": fake.set_input_shape,
        "IExecutionContext.set_tensor_address": fake.set_tensor_address,
        "IExecutionContext.infer_shapes": fake.infer_shapes,
        "IExecutionContext.get_tensor_shape": fake.get_tensor_shape,
        "IExecutionContext.execute_async_v3": fake.execute,
        "IExecutionContext.is_stream_capturable": True,
    }
    fake.trt = stand_in(
        release, answers | {name.replace("__", "."): value for name, value in changes.items()}
    )
    return fake.trt


class _Engine:
    """What an engine of an ONNX file does."""

    trt: ModuleType

    def __init__(self, source: Path, device: FakeDevice) -> None:
        self.io_tensors = {tensor.name: tensor for tensor in _io_tensors(onnx.load(source).graph)}
        self._session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
        self._device = device

    def mode(self, name: str) -> Any:
        return self.trt.TensorIOMode[self.io_tensors[name].mode.upper()]

    def dtype(self, name: str) -> Any:
        return self.trt.DataType[TYPES[self.io_tensors[name].dtype]]

    def set_input_shape(self, context: Any, name: str, shape: tuple[int, ...]) -> bool:
        context.__dict__.setdefault("shapes", {})[name] = shape
        return 0 not in shape[-1:]

    def set_tensor_address(self, context: Any, name: str, address: int) -> bool:
        assert name in self.io_tensors
        context.__dict__.setdefault("at", {})[name] = address
        return True

    def infer_shapes(self, context: Any) -> list[str]:
        given = context.__dict__.get("shapes", {})
        dynamic = [n for n, p in self.io_tensors.items() if p.mode == "input" and -1 in p.shape]
        return [name for name in dynamic if name not in given]

    def get_tensor_shape(self, context: Any, name: str) -> tuple[int, ...]:
        dynamic = [n for shape in context.__dict__.get("shapes", {}).values() for n in shape[-1:]]
        return tuple(640 * dynamic[0] if d == -1 else d for d in self.io_tensors[name].shape)

    def execute(self, context: Any, stream: int) -> bool:
        at, shapes = dict(context.__dict__["at"]), dict(context.__dict__.get("shapes", {}))
        assert at.keys() == self.io_tensors.keys(), "every tensor needs an address"

        def work() -> None:
            feeds = {
                name: self._device.view(
                    at[name], np.dtype(tensor.dtype), shapes.get(name, tuple(tensor.shape))
                ).copy()
                for name, tensor in self.io_tensors.items()
                if tensor.mode == "input"
            }
            names = [name for name, tensor in self.io_tensors.items() if tensor.mode == "output"]
            for name, array in zip(names, self._session.run(names, feeds), strict=True):
                self._device.write(at[name], array)

        self._device.enqueue(stream, work)
        return True
