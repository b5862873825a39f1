"""Container files: linted, and their command run in an environment with the image's packages."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.server.running import voices
from tests.test_standalone import closure, environment

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "containers"
DOCKERFILES = sorted(FOLDER.glob("Dockerfile*"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
START_S = 120


def words(dockerfile: Path, instruction: str) -> list[str]:
    """The exec form of an instruction of a Dockerfile."""
    text = dockerfile.read_text("utf-8").replace("\\\n", " ")
    (found,) = re.findall(rf"(?m)^\s*{instruction}.*?(\[.*\])$", text)
    return [str(word) for word in json.loads(found)]


def test_both_images_are_there() -> None:
    assert [path.name for path in DOCKERFILES] == ["Dockerfile", "Dockerfile.gpu"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_a_dockerfile_has_no_fault(dockerfile: Path) -> None:
    linter = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if linter is None:
        pytest.skip("hadolint is not installed: the Dockerfiles are not linted")
    done = subprocess.run([linter, dockerfile], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_what_a_dockerfile_copies_exists_and_is_let_in(dockerfile: Path) -> None:
    kept = [
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    ]
    copied = re.findall(r"(?m)^COPY (.*) \S+$", dockerfile.read_text("utf-8"))
    for name in " ".join(copied).split():
        assert (ROOT / name).exists(), name
        assert name in kept


def test_the_objects_for_kubernetes_are_valid() -> None:
    validator = pytest.importorskip(
        "kubernetes_validate",
        reason="kubernetes-validate is not installed: objects are not checked",
    )
    objects = list(yaml.safe_load_all((FOLDER / "kubernetes.yaml").read_text("utf-8")))
    for one in objects:
        validator.validate(one, "1.30", strict=True)
    assert [one["kind"] for one in objects] == [
        "Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget",
    ]  # fmt: skip


def test_compose_names_files_that_exist() -> None:
    (service,) = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))["services"].values()
    build = service["build"]
    assert (FOLDER / build["context"] / build["dockerfile"]).is_file()
    assert all(volume.endswith(":ro") for volume in service["volumes"])


def test_the_command_of_the_image_serves_and_its_health_check_agrees(tmp_path: Path) -> None:
    extras = PROJECT["optional-dependencies"]
    needed = closure(PROJECT["dependencies"], partial=False)
    needed |= closure([*extras["server"], *extras["en"]], partial=True)
    python = environment(tmp_path / "image", needed.values())
    entry = words(FOLDER / "Dockerfile", "ENTRYPOINT")
    assert (entry[0], entry[3:]) == ("python", ["--voices", "/voices", "--host", "0.0.0.0"])
    command = [str(python), *(str(voices()) if word == "/voices" else word for word in entry[1:])]
    command[command.index("0.0.0.0")] = "127.0.0.1"
    log = tmp_path / "log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*command, "--port", "0"], cwd=tmp_path, stdout=said, stderr=said
        )
    try:
        port = _port(process, log)
        check = words(FOLDER / "Dockerfile", "HEALTHCHECK.*?CMD")
        script = check[2].replace(":8000/", f":{port}/")
        end = time.monotonic() + START_S
        while subprocess.run([python, "-c", script], capture_output=True).returncode:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end
        url = f"http://127.0.0.1:{port}/tts?text=Hello.&text_lang=en&voice=flite"
        with urllib.request.urlopen(url, timeout=60) as answer:
            assert answer.read(4) == b"RIFF"
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    end = time.monotonic() + START_S
    while not (found := re.search(r"http://\S+:(\d+)", log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end
        time.sleep(0.05)
    return int(found[1])
