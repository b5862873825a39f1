"""What is too long to be read in one go: files, functions and rule files over their limits."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

FILE, TEST_FILE, RULE_FILE, FUNCTION = 400, 300, 80, 40  # lines at most


def too_long(path: Path) -> Iterator[str]:
    """A line for each limit that a file is over."""
    text = path.read_text("utf-8")
    lines = len(text.splitlines())
    limit = RULE_FILE if path.suffix == ".smk" else TEST_FILE if path.parts[0] == "tests" else FILE
    if lines > limit:
        yield f"{path}: {lines} lines; at most {limit}: look for the second concept in it"
    if path.suffix != ".py":
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = lines_of(node)
            if length > FUNCTION:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines; at most {FUNCTION}"


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function, its docstring left out."""
    first = function.body[0]
    described = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if described else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - docstring


def main() -> None:
    """Look at all tracked code."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "*.py", "*.smk"],
        capture_output=True,
        check=True,
    )
    names = filter(None, listed.stdout.decode().split("\0"))
    found = [
        line for name in sorted(names) if Path(name).is_file() for line in too_long(Path(name))
    ]
    sys.exit("\n".join(found) or 0)


if __name__ == "__main__":
    main()
