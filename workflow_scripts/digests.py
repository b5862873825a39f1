"""Digests of what a rule depends on: source files and folders, the code of a script, its tools.

Content decides, not the clock: these strings are params of the rules, so that a touched file
rebuilds nothing and a changed one rebuilds what depends on it. Knows nothing of checkpoints.
"""

import ast
import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from workflow_scripts.files import atomic, write_json

ROOT = Path(__file__).resolve().parent.parent
OURS = ("workflow_scripts", "runtime")
STATEMENTS = ("body", "orelse", "finalbody", "handlers", "cases")  # fields that hold a list

Stamp = list[int]  # size, mtime, ctime and inode: equal means that the file was not written since


def of_source(root: Path, of_file: Callable[[Path], str]) -> str:
    """Digest of a source whose files are digested by `of_file`.

    Returns:
        That of the file; for a folder the sha256 over the names and digests of all files below it.
    """
    if not root.is_dir():
        return of_file(root)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    named = [(path.relative_to(root).as_posix(), of_file(path)) for path in files]
    return hashlib.sha256(repr(named).encode()).hexdigest()


class Sources:
    """Digests of files and folders outside the build, each file read once while it is unchanged."""

    def __init__(self, store: Path, *, settled: bool = False, follow: bool = False) -> None:
        """Remember digests in the JSON file `store`, from one run to the next.

        Args:
            store: the file.
            settled: whether a source keeps the digest that it had when it was first asked for, as
                a plan needs it; whoever reads the source later compares.
            follow: whether digests in the store hold whatever the files are by now, as in the
                process of a job, whose planner has stored them.
        """
        self._store = store
        self._settled, self._follow = settled, follow
        self._known = _remembered(store)
        self._planned: dict[str, str] = {}

    def of(self, source: str | Path) -> str:
        """Digest of one source.

        Args:
            source: a file, or a folder that is taken with all files below it.

        Returns:
            A file's sha256 as `sha256sum` prints it; for a folder the sha256 over the names and
            digests of its files.

        Raises:
            OSError: the source is not there, or can't be read.
        """
        known = self._planned.get(str(source)) if self._settled else None
        found = known or of_source(Path(source), self._of_file)
        self._planned[str(source)] = found
        return found

    def of_each(self, sources: Mapping[str, str]) -> dict[str, str]:
        """Digests of named sources, by the same names."""
        return {name: self.of(source) for name, source in sources.items()}

    def _of_file(self, path: Path) -> str:
        stat = path.stat()
        stamp = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
        name = str(path.resolve())
        known, digest = self._known.get(name, ([], ""))
        if known == stamp or (digest and self._follow):
            return digest
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._known = _remembered(self._store) | self._known | {name: (stamp, digest)}
        with atomic(self._store) as (part,):
            write_json(part, self._known)
        return digest


def _remembered(store: Path) -> dict[str, tuple[Stamp, str]]:
    """What an earlier run has stored; nothing where the file is absent or broken."""
    try:
        stored = json.loads(store.read_text("utf-8"))
        return {name: (list(stamp), str(digest)) for name, (stamp, digest) in stored.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def of_code(module: str, *named: str) -> str:
    """Digest of a script and of all our modules that it imports; comments don't count.

    Args:
        module: dotted name; each name that it imports from `OURS` is followed, relative or
            absolute, at the top or inside a function, and so is the `__init__` of each package.
            What is loaded by a name in a string is not seen.
        named: modules that it loads so, by the names in tables; they count as imported ones do.

    Returns:
        12 hexadecimal digits over the syntax trees, without comments and docstrings.

    Raises:
        ModuleNotFoundError: there is no such module of ours.
    """
    return hashlib.sha256(repr(sorted(_code(module, *named).items())).encode()).hexdigest()[:12]


def modules_of(module: str, *named: str) -> list[str]:
    """The modules that count into the digest of a script, itself included; see `of_code`.

    Raises:
        ModuleNotFoundError: there is no such module of ours.
    """
    return sorted(_code(module, *named))


def _code(*modules: str) -> dict[str, str]:
    """Syntax trees of modules and of all our modules that they import, by name."""
    for module in modules:
        if _file_of(module) is None:
            raise ModuleNotFoundError(f"{module}: no such module below {ROOT}")
    found: dict[str, str] = {}
    todo = [*modules]
    while todo:
        name = todo.pop()
        if name in found or name.split(".")[0] not in OURS or _file_of(name) is None:
            continue
        found[name], imports = _parsed(name)
        todo += [*imports, name.rpartition(".")[0]]  # a package's __init__ runs too
    return found


def of_tools(*packages: str) -> list[str]:
    """Versions of installed packages as `name=version`, without importing them."""
    return [f"{package}={_version(package)}" for package in packages]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _file_of(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    return next(
        (path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None
    )


@functools.cache
def _parsed(module: str) -> tuple[str, tuple[str, ...]]:
    """The module's syntax tree as text, and the absolute names that it imports."""
    path = _file_of(module)
    assert path is not None
    tree = ast.parse(path.read_text("utf-8"))
    imports: list[ast.stmt] = []
    _keep_what_runs(tree, imports)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return ast.dump(tree), tuple(_imported(imports, package.split(".")))


def _keep_what_runs(node: ast.AST, imports: list[ast.stmt]) -> None:
    """Leave out docstrings and what only type checkers read, in place; collect the imports.

    Goes through statements alone: no expression holds any of these.
    """
    for field in STATEMENTS:
        below: list[ast.AST] = getattr(node, field, [])
        below[:] = _running(below)
        for one in below:
            _keep_what_runs(one, imports)
            if isinstance(one, ast.Import | ast.ImportFrom):
                imports.append(one)
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        if ast.get_docstring(node, clean=False) is not None:
            node.body[:1] = []
        if not isinstance(node, ast.Module):
            node.body = node.body or [ast.Pass()]


def _running(statements: Sequence[ast.AST]) -> list[ast.AST]:
    """The same without what stands under `if TYPE_CHECKING`."""
    found: list[ast.AST] = []
    for one in statements:
        if isinstance(one, ast.If) and _name_of(one.test) == "TYPE_CHECKING":
            found += _running(one.orelse) or [ast.Pass()]
        else:
            found.append(one)
    return found


def _name_of(expression: ast.expr) -> str:
    """The last part of a name with dots; empty for any other expression."""
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else ""


def _imported(imports: Sequence[ast.stmt], package: list[str]) -> Iterator[str]:
    """Absolute names of imports; of `from a import b` both `a` and `a.b`."""
    for node in imports:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
