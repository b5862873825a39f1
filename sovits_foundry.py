"""The console script: finds our `runtime`, or says what else of that name is found."""

import sys
from pathlib import Path


def main() -> None:
    """Run a command of `runtime.commands`."""
    try:
        import runtime
    except ImportError:
        sys.exit("error: sovits-foundry: its package runtime is missing; install it again")
    ours = Path(__file__).resolve().parent / "runtime"
    found = Path(str(runtime.__file__)).resolve().parent
    if found != ours:
        sys.exit(
            f"error: sovits-foundry: another module named runtime is imported first, {found};"
            " remove it, or install sovits-foundry into an environment of its own"
        )
    from runtime.commands import main as command

    command()
