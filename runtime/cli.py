"""What every command of ours does alike: options in both spellings, errors in one line."""

import argparse
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from runtime.errors import FoundryError

INTERRUPTED = 130


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
    except KeyboardInterrupt:
        sys.exit(fail("interrupted; nothing half done is left", INTERRUPTED))
    except BrokenPipeError:
        # the reader has gone: point stdout away, so that its closing flush says nothing
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        where = error.filename if error.filename is not None else "input/output"
        sys.exit(fail(f"{where}: {error.strerror}", 1))
    sys.exit(0)


def fail(message: str, code: int) -> int:
    """Print one `error:` line and hand back the exit code."""
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return code
