"""What must hold for every rule, read from the text of the rule files."""

import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ORDER = (
    "name",
    "input",
    "output",
    "log",
    "benchmark",
    "wildcard_constraints",
    "conda",
    "threads",
    "resources",
    "params",
    "message",
    "shell",
)
RULE = re.compile(r"^rule (\w+):\n((?:(?:    .*)?\n)+)", re.M)
LOOP = re.compile(r"^for .*:\n\n((?:(?:    .*)?\n)+)", re.M)  # a rule for each item of something
NAME = re.compile(r"^rule:\n    name:\n        f\"(.*)\"\n", re.M)


def rules_of(text: str) -> dict[str, str]:
    """The rules of a file, those in loops by the pattern of their names."""
    looped = "".join(textwrap.dedent(body) for body in LOOP.findall(text))
    named = NAME.sub(lambda name: "rule " + re.sub(r"\{.*\}", "KIND", name[1]) + ":\n", looped)
    return dict(RULE.findall(text) + RULE.findall(named))


RULES = {
    name: body
    for path in sorted((ROOT / "rules").glob("*.smk"))
    for name, body in rules_of(path.read_text("utf-8")).items()
}
COMMAND = re.compile(r"^    shell:\n((?:        .*\n)+)", re.M)


def command(rule: str) -> str:
    (found,) = COMMAND.findall(RULES[rule])
    return "".join(re.findall(r'"(.*)"', found))


def test_the_rules_are_found() -> None:
    assert {"describe_voice", "export_t2s", "export_KIND", "check_parity"} <= set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_the_code_digest_is_that_of_the_script_which_runs(rule: str) -> None:
    (named,) = re.findall(r'digests\.of_code\(\s*"([\w.]+)"[,)]', RULES[rule])
    assert command(rule).split()[:3] == ["python", "-m", named.removesuffix(".__main__")]
    assert ROOT.joinpath(*named.split(".")).with_suffix(".py").is_file()


@pytest.mark.parametrize("rule", RULES)
def test_every_placeholder_is_quoted(rule: str) -> None:
    placeholders = re.findall(r"\{(.*?)\}", command(rule))
    assert placeholders
    assert [name for name in placeholders if not name.endswith(":q")] == []


@pytest.mark.parametrize("rule", RULES)
def test_what_a_script_prints_goes_to_its_log(rule: str) -> None:
    assert command(rule).endswith(" > {log:q} 2>&1")


@pytest.mark.parametrize("rule", RULES)
def test_directives_stand_in_the_order_of_the_house(rule: str) -> None:
    found = re.findall(r"^    (\w+):", RULES[rule], re.M)
    assert found == [directive for directive in ORDER if directive in found]
    needed = {"input", "output", "log", "benchmark", "conda", "message", "params", "shell"}
    assert needed <= set(found)


@pytest.mark.parametrize("rule", RULES)
def test_log_and_benchmark_share_a_pattern(rule: str) -> None:
    (log,) = re.findall(r'"artifacts/logs/(.*)\.log"', RULES[rule])
    (benchmark,) = re.findall(r'"artifacts/benchmarks/(.*)\.tsv"', RULES[rule])
    assert log == benchmark


@pytest.mark.parametrize("rule", RULES)
def test_sources_of_the_user_are_ancient_and_digested(rule: str) -> None:
    body = RULES[rule]
    for source in re.findall(
        r"lambda w: (voice_of\(w\)[\w.]+|PLAN\.bases.*?|PLAN\.sources.*?)\)?,", body
    ):
        if source.endswith((".text", ".lang")):
            continue
        assert "ancient(" in body
        assert "SOURCES.of" in body


@pytest.mark.parametrize("path", sorted((ROOT / "rules").glob("*.smk")), ids=lambda path: path.name)
def test_rules_run_scripts_and_nothing_else(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"^    (run|script|shadow|cache|notebook|wrapper):", text, re.M)
    assert "directory(" not in text


def test_the_profile_says_three_things_and_no_more() -> None:
    # whatever stands there beats --profile on the command line
    lines = (ROOT / "profiles/default/config.yaml").read_text("utf-8").splitlines()
    assert lines == ["rerun-incomplete: true", "keep-going: true", "show-failed-logs: true"]


def test_every_target_and_nothing_else_has_a_sentence_in_the_list() -> None:
    text = (ROOT / "Snakefile").read_text("utf-8")
    targets = re.findall(r'^rule (\w+):\n(    """[A-Z].*\."""\n)?', text, re.M)
    assert len(targets) > 8
    assert [name for name, sentence in targets if not sentence] == []


@pytest.mark.parametrize("path", sorted((ROOT / "rules").glob("*.smk")), ids=lambda path: path.name)
def test_a_rule_file_is_a_page(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 80
