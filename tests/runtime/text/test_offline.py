"""The whole front end in a fresh process that may not open a socket, from an odd folder."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import runtime
from runtime.errors import BackendMissing
from runtime.text import MODES, require

SCRIPT = """
import socket, sys
def refuse(*args, **kwargs):
    raise SystemExit("a socket was opened")
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
sys.path.insert(0, "源 コード")
from runtime.text import phonemize, pieces
for lang, text in [("zh", "今天是2024年5月6日。"), ("en", "The blorptastic fox has 3 cars."),
                   ("ja", "今日はいい天気です。"), ("ko", "오늘은 3개를 먹었어요."),
                   ("yue", "我哋去飲茶啦。"), ("auto", "你好，hello，こんにちは、안녕하세요。")]:
    for piece in pieces(text, lang, "cut5", 500):
        assert len(phonemize(piece.text, lang).ids) > 5, text
assert "torch" not in sys.modules
print("spoken")
"""


def test_all_languages_are_read_without_network_from_a_folder_with_another_script(
    tmp_path: Path,
) -> None:
    try:
        for mode in MODES:
            require(mode)
    except BackendMissing as missing:
        pytest.skip(str(missing))
    folder = tmp_path / "声音 フォルダ é"
    source = Path(str(runtime.__file__)).parent
    target = folder / "源 コード" / "runtime"
    shutil.copytree(source / "text", target / "text", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("arrays.py", "errors.py"):
        shutil.copy(source / name, target / name)
    (target / "__init__.py").touch()
    before = set(folder.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-B", "-c", SCRIPT], cwd=folder, capture_output=True, text=True
    )
    assert done.stdout.strip().endswith("spoken"), done.stderr
    assert set(folder.rglob("*")) == before
