"""Check the configuration before anything runs, and turn it into the plan.

All faults are printed at once, one line each: where, what, what to do. Knows the words of the
configuration and asks the tables of the code which choices there are.
"""

import copy
import difflib
import math
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, ValidationError

from runtime.contract import GRAPHS
from runtime.errors import ArtifactError, CheckpointError, ConfigError, SettingError
from runtime.machine import LIBRARIES
from runtime.manifest import G2PW_FILES, G2PW_MORE
from runtime.text.languages import MODES
from runtime.text.lexicon import LANGS, load_lexicon
from runtime.text.zh.polyphones import read_tables
from workflow_scripts import examples
from workflow_scripts.plan import Plan, planned
from workflow_scripts.proof import bars
from workflow_scripts.units import BASES, Facts
from workflow_scripts.variants.precisions import PRECISIONS, usual_precision

MAX_NAME_BYTES = 100  # of UTF-8; schedulers join all wildcards of a job into one file name
REPEATED = re.compile(r"(.{1,3})\1{18}")  # Snakemake takes a wildcard like that for a loop
MOST_NODES = 100_000
NUMBER = re.compile(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")

Config = dict[str, Any]
Reader = Callable[[Path, Path, Path | None], Facts]


def choices() -> dict[str, list[str]]:
    """What the schema leaves to the tables of the code."""
    return {
        "engine_library": list(LIBRARIES),
        "graph": list(GRAPHS),
        "precision": list(PRECISIONS),
        "language": list(MODES),
        "lexicon": list(LANGS),
    }


def schema_of(path: Path, listed: Mapping[str, Sequence[str]]) -> Config:
    """The schema with its choices filled in."""
    schema: Config = yaml.safe_load(path.read_text("utf-8"))
    for name, values in listed.items():
        schema["$defs"][name]["enum"] = list(values)
    return schema


def checked(config: Config, schema: Config, files: Sequence[Path], facts_of: Reader) -> Plan:
    """The plan of a configuration in which no fault was found.

    Args:
        config: as Snakemake has merged it; not changed.
        schema: see `schema_of`.
        files: the files that it was merged from, for faults that a merge hides.
        facts_of: reads what a T2S and a SoVITS file say of themselves.

    Raises:
        ConfigError: a line per fault. Repeated keys hide the rest, faults of form hide missing
            files, and missing files hide what the files say.
    """
    where = " + ".join(map(str, files)) or "config"
    _refuse("", [line for path in files for line in _repeated_keys(path)])
    _refuse(where, list(_faults_of_structure(config)))
    config = _with_defaults(_with_numbers(copy.deepcopy(config)), schema)
    _refuse(where, list(_faults_of_form(config, schema)))
    _refuse(where, [*_faults_across(config), *_missing_files(config)])
    facts: dict[str, Facts] = {}
    _refuse(where, list(_faults_of_voices(config, facts_of, facts)))
    config["mixed_precision"] = _mixed(config)
    config["bars"] = _bars(config)
    for target in config["targets"]:
        target.setdefault("precisions", [*filter(_engines, config["precisions"])])
    loops = {name: row.arithmetic for name, row in PRECISIONS.items() if row.engines}
    return planned(config, facts, loops)


def refuse_lost_records(artifacts: Path, records: Path) -> None:
    """Stop where Snakemake would take any change for none.

    Args:
        artifacts: where graphs are.
        records: where Snakemake keeps what each file was made from.

    Raises:
        ArtifactError: there are graphs, and no record.
    """
    built = next(artifacts.glob("graphs/**/*.onnx"), None)
    if built is not None and next(records.glob("*"), None) is None:
        raise ArtifactError(
            f"{artifacts}: has no build records ({records}), so its age can't be judged;"
            " bring .snakemake/ along or remove artifacts/"
        )


def refuse_broken_sources(plan: Plan) -> None:
    """Stop where examples, bases, or what text is read with could not be used; reads them all.

    Raises:
        ConfigError: a line per file.
    """
    _refuse("", [*examples.faults(plan), *_faults_of_lexicons(plan), *_faults_of_g2pw(plan)])


def _faults_of_lexicons(plan: Plan) -> Iterator[str]:
    for index, voice in enumerate(plan.voices):
        for lang, path in voice.lexicons.items():
            try:
                load_lexicon(path, lang)
            except SettingError as error:
                yield f"voices[{index}].lexicons.{lang}: {error}"


def _faults_of_g2pw(plan: Plan) -> Iterator[str]:
    if plan.g2pw is not None:
        more = Path(plan.g2pw, G2PW_MORE)
        files = {name: Path(plan.g2pw, name) for name in G2PW_FILES}
        try:
            read_tables(files | ({G2PW_MORE: more} if more.exists() else {}))
        except ArtifactError as error:
            yield f"shared.g2pw: {error}"


def _refuse(where: str, faults: list[str]) -> None:
    if faults:
        raise ConfigError("\n".join(f"{where}: {fault}" if where else fault for fault in faults))


def _repeated_keys(path: Path) -> Iterator[str]:
    """Keys that stand twice in a mapping; YAML's reader would keep the last in silence."""
    todo = [yaml.compose(path.read_text("utf-8"), yaml.SafeLoader)]
    visited: set[int] = set()  # an alias may lead back to a node above
    while todo:
        node = todo.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if f"{key.value}" in seen:
                    line = key.start_mark.line + 1
                    yield f"{path}: line {line}: key {key.value!r:.80} appears twice; keep one"
                seen.add(f"{key.value}")
                todo.append(value)


def _faults_of_structure(config: Config) -> Iterator[str]:
    """Keys that are no text, numbers that are none, and mappings that hold themselves."""
    todo: list[tuple[str, Any, tuple[int, ...]]] = [("", config, ())]
    count = 0
    while todo and (count := count + 1) <= MOST_NODES:
        where, value, above = todo.pop()
        if id(value) in above:
            yield f"{where[:80]}: holds itself; write it out"
            continue
        if isinstance(value, float) and not math.isfinite(value):
            yield f"{where}: {value} is no number; give one"
        below = (*above, id(value))
        if isinstance(value, dict):
            odd = [key for key in value if not isinstance(key, str)]
            yield from (
                f"{where or 'top level'}: key {key!r:.40} is no text; quote it" for key in odd
            )
            todo += [(f"{where}.{key}".lstrip("."), item, below) for key, item in value.items()]
        elif isinstance(value, list):
            todo += [(f"{where}[{place}]", item, below) for place, item in enumerate(value)]
    if count > MOST_NODES:
        yield f"more than {MOST_NODES} values; write fewer"


def _with_numbers(config: Config) -> Config:
    """`--config max_len=[64,128]` and `--config bench={rounds: 3}` arrive as text."""
    if isinstance(config.get("max_len"), list):
        config["max_len"] = [_number(rows) for rows in config["max_len"]]
    if isinstance(config.get("bench"), dict):
        config["bench"] = {key: _number(value) for key, value in config["bench"].items()}
    for graphs in _mappings(config.get("reduction")):
        for options in _mappings(graphs):
            options |= {key: _number(value) for key, value in options.items()}
    return config


def _mappings(value: Any) -> list[Config]:
    """The values of a mapping that are mappings."""
    return [v for v in value.values() if isinstance(v, dict)] if isinstance(value, dict) else []


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _with_defaults(value: Any, schema: Config) -> Any:
    """Add each key that is absent and has a default, in this value and in those below it."""
    if isinstance(value, dict):
        for key, below in schema.get("properties", {}).items():
            if "default" in below:
                value.setdefault(key, copy.deepcopy(below["default"]))
            _with_defaults(value.get(key), below)
    elif isinstance(value, list):
        for item in value:
            _with_defaults(item, schema.get("items", {}))
    return value


def _faults_of_form(config: Config, schema: Config) -> Iterator[str]:
    """What the schema states against it."""
    errors = Draft202012Validator(schema).iter_errors(config)
    for error in sorted(errors, key=lambda error: [str(part) for part in error.absolute_path]):
        for message in _messages(error, error.instance, error.schema):
            yield f"{_place(error)}: {message}"


def _place(error: ValidationError) -> str:
    text = ""
    for part in error.absolute_path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if re.fullmatch(r"\w+", str(part)) else f"[{part!r}]"
    return text.lstrip(".") or "top level"


def _messages(error: ValidationError, instance: Any, schema: Any) -> Iterator[str]:
    if error.validator == "additionalProperties":
        known = list(schema["properties"])
        for key in sorted(str(key) for key in instance if key not in known):
            near = difflib.get_close_matches(key, known, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            yield f"unknown key {key!r}; {hint}"
    elif error.validator == "pattern" and "title" in schema:
        yield f"{instance!r} is not {schema['title']}"
    elif error.validator == "type" and _number_as_text(instance):
        yield f"{error.message}; YAML takes it for text, write {float(instance)!r}"
    else:
        yield error.message


def _number_as_text(value: Any) -> bool:
    return isinstance(value, str) and NUMBER.fullmatch(value) is not None


def _faults_across(config: Config) -> Iterator[str]:
    """What no single key is to blame for."""
    yield from _faults_of_names([voice["name"] for voice in config["voices"]])
    for key in dict.fromkeys(key for named in config["bars"].values() for key in named):
        try:
            bars.split(key)
        except ConfigError as error:
            yield str(error)
    yield from _faults_of_targets(config)
    if config["shared"]["g2pw"] and not config["shared"]["bert"]:
        yield "shared.g2pw: needs the vocabulary of shared.bert, which is null; give that too"
    yield from _faults_of_graphs(config)


def _faults_of_graphs(config: Config) -> Iterator[str]:
    """Graphs that are given a precision, or ways to write it, that they never have."""
    for precision, reduced in config["reduction"].items():
        for graph in reduced:
            if not PRECISIONS[precision].fits(graph):
                yield f"reduction.{precision}.{graph}: never written at it; leave it out"
    for precision, graphs in config["mixed_precision"].items():
        for graph, kept in graphs.items():
            if not PRECISIONS[kept].fits(graph):
                yield (
                    f"mixed_precision.{precision}.{graph}: {kept!r} is not meant for it;"
                    f" use {usual_precision(kept, graph)!r}"
                )


def _engines(precision: str) -> bool:
    return PRECISIONS[precision].engines


def _faults_of_precisions(config: Config, wanted: list[str], where: str) -> Iterator[str]:
    """Precisions of a target that are not built, or can't become engines."""
    for place, precision in enumerate(wanted):
        named = f"{where}.precisions[{place}]: {precision!r}"
        if precision not in config["precisions"]:
            yield f"{named} is not built; add it to precisions"
        elif not _engines(precision):
            yield f"{named} can't become engines: no importer for its operator; leave it out"


def _faults_of_targets(config: Config) -> Iterator[str]:
    """Names that are taken, and precisions that are not built or can't become engines."""
    seen: dict[str, int] = {}
    for index, target in enumerate(config["targets"]):
        where = f"targets[{index}]"
        first = seen.setdefault(target["name"].casefold(), index)
        if first != index:
            name = target["name"]
            yield f"{where}.name: {name!r} is taken by targets[{first}] (case doesn't count)"
        yield from _faults_of_precisions(config, target.get("precisions", []), where)
        for precision in target.get("precisions", [*filter(_engines, config["precisions"])]):
            for graph, kept in config["mixed_precision"].get(precision, {}).items():
                if not _engines(kept):
                    yield (
                        f"{where}: mixed_precision.{precision} keeps {graph} at {kept!r}, which"
                        f" can't become an engine; take {precision!r} out of {where}.precisions"
                    )


def _bars(config: Config) -> dict[str, dict[str, float]]:
    """The bars of each precision that is built: the configuration's, else the table's."""
    usual = {name: dict(PRECISIONS[name].bars) for name in config["precisions"]}
    given: dict[str, dict[str, float]] = config["bars"]
    return usual | given


def _mixed(config: Config) -> dict[str, dict[str, str]]:
    """Per precision, the graphs that have another: by the table, and by the configuration."""
    return {
        name: {
            graph: usual_precision(name, graph)
            for graph in GRAPHS
            if not PRECISIONS[name].usual(graph)
        }
        | config["mixed_precision"].get(name, {})
        for name in config["precisions"]
    }


def _faults_of_names(names: list[str]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        where = f"voices[{index}].name: {name!r}"
        normal = unicodedata.normalize("NFC", name)
        first = seen.setdefault(normal.casefold(), index)
        if first != index:
            yield f"{where} is taken by voices[{first}] (case and Unicode form don't count)"
        if name != normal:
            yield f"{where} is not in Unicode's composed form (NFC); type it anew"
        if len(name.encode()) > MAX_NAME_BYTES:
            yield f"{where} is over {MAX_NAME_BYTES} bytes of UTF-8; take a shorter one"
        if REPEATED.search(name):
            yield f"{where} repeats itself too often for Snakemake; take another"


def _missing_files(config: Config) -> Iterator[str]:
    for where, path in _files(config):
        try:
            there = Path(path).exists()
        except OSError as error:  # of a name that is too long
            yield f"{where}: {path!r:.80}: {error.strerror}; give a path that can be read"
            continue
        if not there:
            yield f"{where}: no such file {path!r} (looked in {str(Path.cwd())!r})"


def _files(config: Config) -> Iterator[tuple[str, str]]:
    """Where each path stands in the configuration, and the path."""
    for index, voice in enumerate(config["voices"]):
        yield f"voices[{index}].gpt", voice["gpt"]
        yield f"voices[{index}].sovits", voice["sovits"]
        if voice["base"] is not None:
            yield f"voices[{index}].base", voice["base"]
        yield f"voices[{index}].reference.audio", voice["reference"]["audio"]
        for lang, path in voice["lexicons"].items():
            yield f"voices[{index}].lexicons.{lang}", path
    for word, path in config["shared"].items():
        if path is not None:
            yield f"shared.{word}", path
    folder = Path(config["shared"]["g2pw"] or "")
    if config["shared"]["g2pw"] and folder.exists():
        yield from (("shared.g2pw", str(folder / name)) for name in G2PW_FILES)


def _faults_of_voices(config: Config, facts_of: Reader, facts: dict[str, Facts]) -> Iterator[str]:
    """What the voices' files say against building them; fills `facts` on the way."""
    for index, voice in enumerate(config["voices"]):
        try:
            under = None if voice["base"] is None else Path(voice["base"])
            found = facts_of(Path(voice["gpt"]), Path(voice["sovits"]), under)
        except CheckpointError as error:
            yield f"voices[{index}]: {error}"
            continue
        facts[voice["name"]] = found
        for word, base in BASES.items():
            if base.graph in found.bases and config["shared"][word] is None:
                yield (
                    f"shared.{word}: null, but voices[{index}] is a {found.family} voice;"
                    f" give the {base.source}"
                )
