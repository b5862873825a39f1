"""What every command of ours does alike: options in both spellings, errors in one line."""

import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from runtime.errors import FoundryError, printable

INTERRUPTED = 130
INPUT = 4  # what the user gave, the disk included
LACKS = 5  # this machine lacks something


def option(parser: argparse._ActionsContainer, *names: str, **settings: Any) -> None:
    """Add an option; `--top-k` is taken as `--top_k` too, which help does not repeat."""
    action = parser.add_argument(*names, **settings)
    for name in names:
        other = "--" + name[2:].replace("-", "_")
        if name.startswith("--") and other != name:
            parser._option_string_actions[other] = action


def log_to_stderr(level: int = logging.INFO) -> None:
    """Tell what is being done, a line each, on stderr."""
    logging.basicConfig(level=level, format="%(message)s", stream=sys.stderr, force=True)


def run(main: Callable[[], None]) -> NoReturn:
    """Run a command: our errors become one line and an exit code, others keep their traceback."""
    try:
        main()
        sys.stdout.flush()
    except FoundryError as error:
        sys.exit(fail(f"{error}", error.exit_code))
    except MemoryError:
        sys.exit(fail("not enough memory for this; give it less, or more memory", LACKS))
    except KeyboardInterrupt:
        sys.exit(fail("interrupted; nothing half done is left", INTERRUPTED))
    except BrokenPipeError:
        _let_go_of_stdout()
        sys.exit(0)
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        _let_go_of_stdout()
        where = error.filename if error.filename is not None else "input/output"
        sys.exit(fail(f"{where}: {error.strerror}; check disk and rights", INPUT))
    sys.exit(0)


def _let_go_of_stdout() -> None:
    """Point it away from a reader or disk that is gone, so that its closing flush says nothing."""
    with contextlib.suppress(OSError, ValueError):  # ValueError: it is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def fail(message: str, code: int) -> int:
    """Print one `error:` line and hand back the exit code."""
    sys.stderr.write(f"error: {printable(' '.join(message.split()))}\n")
    return code
