"""What this machine computes with: processor, cores, and how busy they are."""

import os
import platform
from pathlib import Path

BUSY_LOAD = 0.5  # above it, something else takes part in what is measured


def processor() -> str:
    """The processor's name as the system reports it."""
    return _field("model name") or platform.processor() or platform.machine()


def cores() -> int:
    """Cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def load_average() -> float | None:
    """Jobs that ran or waited in the last minute, on average; None where it is not reported."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):  # not on Windows
        return None


def is_busy(load: float | None) -> bool | None:
    """Whether measurements under this load are in doubt; None if it is not known."""
    return None if load is None else load > BUSY_LOAD


def _field(name: str) -> str:
    """A field of the first core in /proc/cpuinfo; empty where there is none."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(found, "")
