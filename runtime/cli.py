"""What every command of ours does alike: options with - or _ in their names, errors in one line."""

import argparse
import contextlib
import importlib.metadata
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from runtime.errors import FoundryError, printable

CONSOLE = "sovits-foundry"
INTERRUPTED = 130
USAGE = 2
INPUT = 4  # what the user gave, the disk included
LACKS = 5  # this machine lacks something


class Parser(argparse.ArgumentParser):
    """A command line whose faults are one line, and which knows its version."""

    def __init__(self, *, command: str = "", **settings: Any) -> None:
        """As any parser.

        Args:
            command: the name under `python -m runtime.`, which is also that of the console script.
            settings: of `argparse.ArgumentParser`.
        """
        by_script = Path(sys.argv[0]).stem == CONSOLE
        called = f"{CONSOLE} {command}" if by_script else f"python -m runtime.{command}"
        usual: dict[str, Any] = {
            "allow_abbrev": False,
            "formatter_class": argparse.RawDescriptionHelpFormatter,
        }
        super().__init__(**{"prog": called} | usual | settings)
        self.add_argument("--version", action=_Version, nargs=0, help="print the version and end")

    def error(self, message: str) -> NoReturn:
        """Print what is wrong, without the whole usage."""
        sys.exit(fail(f"{message}; see {self.prog} --help", USAGE))


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_given: object) -> None:
        sys.stdout.write(f"{CONSOLE} {version()}\n")
        parser.exit()


def version() -> str:
    """Version of the installed package; "unknown" where a copy runs that is not installed."""
    try:
        return importlib.metadata.version(CONSOLE)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def option(
    parser: argparse._ActionsContainer, *names: str, formerly: str = "", **settings: Any
) -> None:
    """Add an option; `--top-k` is taken as `--top_k` too, which help does not repeat.

    Args:
        parser: that takes it.
        names: `-m`, `--voice`.
        formerly: an older name, which is taken as well and not in help.
        settings: of `add_argument`.
    """
    action = parser.add_argument(*names, **settings)
    if formerly:
        parser._option_string_actions[formerly] = action
    for name in names:
        other = "--" + name[2:].replace("-", "_")
        if name.startswith("--") and other != name:
            parser._option_string_actions[other] = action


def log_to_stderr(level: int = logging.INFO) -> None:
    """Print what is being done, a line each, on stderr."""
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
