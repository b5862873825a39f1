"""Keep native libraries from reporting their use over the network.

ONNX Runtime reads this variable once, when its native library is loaded; a later change, and its
own `disable_telemetry_events`, come too late. Children inherit it.
"""

import logging
import os
import sys

SILENT = {"ORT_DISABLE_TELEMETRY": "1"}
LOUD_ONCE_IMPORTED = "onnxruntime"


def switch_off() -> None:
    """Set what silences the libraries; a warning where one was loaded before us."""
    silenced = all(os.environ.get(name) == value for name, value in SILENT.items())
    os.environ.update(SILENT)
    if not silenced and LOUD_ONCE_IMPORTED in sys.modules:
        logging.getLogger(__name__).warning(
            "%s was imported before runtime and may report its use over the network; import runtime"
            " first, or set %s",
            LOUD_ONCE_IMPORTED,
            " ".join(f"{name}={value}" for name, value in SILENT.items()),
        )
