"""What changes a digest, and what does not."""

import os
import re
from pathlib import Path

import pytest

from workflow_scripts import digests
from workflow_scripts.checkpoint.families import KINDS

EXPORT = "workflow_scripts.graphs.export"
SCRIPT = "workflow_scripts.stage.script"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of ours with a script in it."""
    monkeypatch.setattr(digests, "ROOT", tmp_path)
    digests._parsed.cache_clear()
    stage = tmp_path / "workflow_scripts/stage"
    stage.mkdir(parents=True)
    for name in ("../__init__", "__init__", "script", "other"):
        (stage / f"{name}.py").write_text("A = 1\n")
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime/sound.py").write_text("B = 1\n")
    return stage


def code() -> str:
    digests._parsed.cache_clear()
    return digests.of_code(SCRIPT)


@pytest.mark.parametrize(
    "line",
    [
        "from workflow_scripts.stage import other",
        "from workflow_scripts.stage.other import A",
        "import workflow_scripts.stage.other",
        "from . import other",
        "from .other import A",
        "from ..stage import other",
        "from ..stage.other import A",
        "def inside():\n    from .other import A\n",
    ],
)
def test_an_imported_module_counts_however_it_is_imported(package: Path, line: str) -> None:
    (package / "script.py").write_text(f"{line}\n")
    before = code()
    (package / "other.py").write_text("A = 2\n")
    assert code() != before


def test_a_module_that_is_not_imported_does_not_count(package: Path) -> None:
    before = code()
    (package / "other.py").write_text("A = 2\n")
    assert code() == before


@pytest.mark.parametrize("changed", ["__init__.py", "../__init__.py"])
def test_the_init_of_each_package_counts(package: Path, changed: str) -> None:
    before = code()
    (package / changed).write_text("A = 2\n")
    assert code() != before


def test_imports_are_followed_through_other_modules_into_the_runtime(package: Path) -> None:
    (package / "script.py").write_text("from .other import A\n")
    (package / "other.py").write_text("from runtime import sound\n")
    before = code()
    (package.parents[1] / "runtime/sound.py").write_text("B = 2\n")
    assert code() != before


def test_modules_that_import_each_other_have_a_digest(package: Path) -> None:
    (package / "script.py").write_text("from . import other\n")
    (package / "other.py").write_text("from . import script\n")
    before = code()
    (package / "other.py").write_text("from . import script\nA = 2\n")
    assert code() != before


def test_comments_docstrings_and_layout_do_not_count(package: Path) -> None:
    (package / "script.py").write_text("def f(a):\n    return a\n\n\nclass C:\n    x = 1\n")
    before = code()
    (package / "script.py").write_text(
        '"""What it is."""\n\n\ndef f(a):  # why\n    """What it does."""\n'
        '    return (a)\n\nclass C:\n    """A class."""\n    x = 1\n'
    )
    assert code() == before
    (package / "script.py").write_text("def f(a):\n    return -a\n\n\nclass C:\n    x = 1\n")
    assert code() != before


@pytest.mark.parametrize("condition", ["TYPE_CHECKING", "typing.TYPE_CHECKING"])
def test_what_only_type_checkers_read_does_not_count(package: Path, condition: str) -> None:
    (package / "script.py").write_text(f"if {condition}:\n    from .other import A\nB = 1\n")
    before = code()
    (package / "other.py").write_text("A = 2\n")
    assert code() == before
    (package / "script.py").write_text(f"if {condition}:\n    from .other import C\nB = 1\n")
    assert code() == before
    (package / "script.py").write_text("if B:\n    from .other import C\nB = 1\n")
    assert code() != before


def test_no_script_takes_names_that_the_runtime_loads_by_a_string() -> None:
    # their modules would change without a rebuild; import from the module instead
    root = digests.ROOT
    for path in (root / "workflow_scripts").rglob("*.py"):
        for names in re.findall(
            r"^\s*from runtime import ([\w, ]*\w)", path.read_text("utf-8"), re.M
        ):
            for name in names.split(", "):
                assert digests._file_of(f"runtime.{name.split(' as ')[0]}"), f"{path}: {name}"


def test_what_speaks_does_not_count_where_graphs_are_exported() -> None:
    # an edit of the runtime's back ends or loops would export every checkpoint anew
    named = [m for row in KINDS.values() for m in row.modules("sizes", "layout", "load", "traced")]
    runtime = {name for name in digests.modules_of(EXPORT, *named) if name.startswith("runtime.")}
    assert runtime == {
        f"runtime.{name}"
        for name in (
            "arrays",
            "cli",
            "contract",
            "dims",
            "errors",
            "files",
            "frames",
            "telemetry",
        )
    }


def test_a_module_that_is_loaded_by_its_name_counts_where_it_is_told(package: Path) -> None:
    named = "workflow_scripts.stage.other"
    (package / "script.py").write_text(f"LOADED = '{named}'\n")
    before, without = digests.of_code(SCRIPT, named), code()
    (package / "other.py").write_text("A = 2\n")
    digests._parsed.cache_clear()
    assert digests.of_code(SCRIPT, named) != before
    assert code() == without
    with pytest.raises(ModuleNotFoundError, match=r"workflow_scripts\.stage\.lost: no such module"):
        digests.of_code(SCRIPT, "workflow_scripts.stage.lost")


def test_a_script_that_does_not_exist_is_refused(package: Path) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"workflow_scripts\.nothing: no such module"):
        digests.of_code("workflow_scripts.nothing")


def test_versions_are_told_without_importing() -> None:
    (present, absent) = digests.of_tools("pytest", "no-such-package")
    assert present == f"pytest={pytest.__version__}"
    assert absent == "no-such-package=absent"


@pytest.fixture
def sources(tmp_path: Path) -> digests.Sources:
    return digests.Sources(tmp_path / "store/digests.json")


def test_a_file_has_its_sha256(tmp_path: Path, sources: digests.Sources) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sources.of(tmp_path / "a").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_touching_a_file_changes_nothing(tmp_path: Path, sources: digests.Sources) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    before = sources.of(file)
    os.utime(file, (1, 1))
    assert sources.of(file) == before


def test_new_content_of_the_same_size_and_date_is_seen(
    tmp_path: Path, sources: digests.Sources
) -> None:
    file = tmp_path / "a"
    file.write_bytes(b"abc")
    os.utime(file, ns=(1, 1))
    before = sources.of(file)
    (tmp_path / "b").write_bytes(b"abd")
    (tmp_path / "b").replace(file)
    os.utime(file, ns=(1, 1))
    assert sources.of(file) != before


def test_a_folder_is_its_names_and_contents(tmp_path: Path, sources: digests.Sources) -> None:
    folder = tmp_path / "base"
    (folder / "below").mkdir(parents=True)
    (folder / "below/a").write_bytes(b"1")
    seen = {sources.of(folder)}
    (folder / "b").write_bytes(b"")
    seen.add(sources.of(folder))
    (folder / "below/a").write_bytes(b"2")
    seen.add(sources.of(folder))
    (folder / "b").rename(folder / "c")
    seen.add(sources.of(folder))
    assert len(seen) == 4
    os.utime(folder / "c", (1, 1))
    assert sources.of(folder) in seen


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, sources: digests.Sources) -> None:
    file, store = tmp_path / "a", tmp_path / "store/digests.json"
    file.write_bytes(b"abc")
    digest = sources.of(file)
    store.write_text(store.read_text().replace(digest, "remembered"))
    assert digests.Sources(store).of(file) == "remembered"


@pytest.mark.parametrize("broken", ["", "[]", '{"a": 1}', "{"])
def test_a_broken_store_is_forgotten(tmp_path: Path, broken: str) -> None:
    store = tmp_path / "digests.json"
    store.write_text(broken)
    (tmp_path / "a").write_bytes(b"abc")
    assert digests.Sources(store).of(tmp_path / "a").startswith("ba7816bf")
