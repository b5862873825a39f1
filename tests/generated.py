"""What is written from tables: docs/settings.md, parts of the manifest's schema and docs/native.md.

python -m tests.generated writes them again; a test compares them.
"""

import json
import re
from dataclasses import Field, asdict, fields
from pathlib import Path
from typing import Any

from runtime.loop_numbers import LoopNumbers
from runtime.model_settings import MODEL_SETTINGS
from runtime.setting_row import NOUNS, Setting
from runtime.settings import SETTINGS

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/settings.md"
SCHEMA = ROOT / "runtime/manifest.schema.json"
NATIVE = ROOT / "docs/native.md"
LOOP = re.compile(r'(?<="loop": \{\n).*?(?=\n    \}\n)', re.S)
LOOP_TABLE = re.compile(r"(?<=<!-- loop -->\n).*?(?=<!-- end of loop -->)", re.S)
DEFAULTS = re.compile(r'(?<="defaults": \{\n).*?(?=\n    \},\n)', re.S)
TITLES = {
    "request": "Of a request",
    "tokens": "How tokens are chosen",
    "sound": "How they sound",
    "stream": "How a stream is cut",
}
HEAD = """# Settings

<!-- Written by `python -m tests.generated` from the table in runtime/settings.py. -->

A setting is an argument of `voice.synthesize`, `voice.sentences` and `voice.stream`
(`speed=1.2`), or of a `Settings` that is given to them; on the command line it is an option of
`python -m runtime.tts`. A value of the wrong type or out of its range is refused by the call itself
with a `SettingError` that names the setting and what it takes: in Python `speed="1.2"` is wrong,
in the body of an HTTP request it is 1.2.

Where the default is the voice's, a bundle has it (`defaults` in its manifest); the number is what
bundles have unless their build has measured otherwise. The last two columns are the names in the
bodies of GPT-SoVITS's `api_v2` and of OpenAI's speech API; an empty place means that there is none.
"""
COLUMNS = "| setting | type | values | default | option | what it is | `api_v2` | OpenAI |\n"


def page() -> str:
    """The whole of docs/settings.md."""
    parts = [HEAD]
    for group, title in TITLES.items():
        rows = [row for row in SETTINGS.values() if row.group == group]
        parts.append(f"\n## {title}\n\n{COLUMNS}{'|---' * 8}|\n{''.join(map(line, rows))}")
    return "".join(parts)


def line(row: Setting) -> str:
    """A row of the page."""
    kind = NOUNS.get(row.kind, f"`{row.kind.__name__}`")
    cells = [
        f"`{row.name}`",
        kind,
        row.allowed,
        default(row),
        f"`{row.option}`" if row.option else "",
        row.help,
        names(row, row.names_in("api_v2")),
        names(row, row.names_in("openai")),
    ]
    return f"| {' | '.join(cells)} |\n"


def default(row: Setting) -> str:
    """What it is where nobody gives another."""
    if row.of_voice:
        return f"the voice's, usually {row.default:g}"
    return row.usual or f"{row.default}"


def names(row: Setting, given: tuple[str, ...]) -> str:
    """Names in the bodies of an API, with their unit where it is another."""
    return ", ".join(f"`{name}`{' (s)' * (name in row.in_seconds)}" for name in given)


def schema_part() -> str:
    """The schema of a manifest's `defaults`, without its braces."""
    rows = [row for row in MODEL_SETTINGS.values() if row.of_voice]
    properties = [
        f'        "{row.name}": {json.dumps(row.schema(), ensure_ascii=False)}' for row in rows
    ]
    return "\n".join(
        [
            '      "description": "settings where a caller gives none",',
            '      "type": "object",',
            '      "additionalProperties": false,',
            '      "properties": {',
            ",\n".join(properties),
            "      }",
        ]
    )


def schema() -> str:
    """The whole of the manifest's schema, with that part as it has to be."""
    text = DEFAULTS.sub(lambda _: schema_part(), SCHEMA.read_text("utf-8"))
    return LOOP.sub(lambda _: loop_schema_part(), text)


def loop_schema_part() -> str:
    """The schema of a manifest's `loop`, without its braces: a number has one value."""
    groups = []
    for group in fields(LoopNumbers):
        kind = type(getattr(LoopNumbers(), group.name))
        numbers = [
            f'            "{one.name}": '
            + json.dumps({"const": one.default, "description": note(one)})
            for one in fields(kind)
        ]
        groups.append(
            f'        "{group.name}": {{\n          "type": "object",\n'
            f'          "additionalProperties": false,\n'
            '          "properties": {\n' + ",\n".join(numbers) + "\n          }\n        }"
        )
    head = [
        '      "description": "what a program needs and can\'t read from graphs: docs/native.md",',
        '      "type": "object",',
        '      "additionalProperties": false,',
        '      "properties": {',
    ]
    return "\n".join([*head, ",\n".join(groups), "      }"])


def loop_table() -> str:
    """The table of `loop` in docs/native.md."""
    lines = ["| number | value | what it is |", "|---|---|---|"]
    for group, numbers in asdict(LoopNumbers()).items():
        kind = type(getattr(LoopNumbers(), group))
        for one in fields(kind):
            value = json.dumps(numbers[one.name])
            lines.append(f"| `{group}.{one.name}` | {value} | {note(one)} |")
    return "\n".join(lines) + "\n"


def note(one: Field[Any]) -> str:
    """What a number is."""
    return str(one.metadata["note"])


def native() -> str:
    """The whole of docs/native.md, with its table as it has to be."""
    return LOOP_TABLE.sub(lambda _: loop_table(), NATIVE.read_text("utf-8"))


if __name__ == "__main__":
    SCHEMA.write_text(schema(), "utf-8")
    PAGE.write_text(page(), "utf-8")
    NATIVE.write_text(native(), "utf-8")
