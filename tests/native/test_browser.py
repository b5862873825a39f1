"""examples/js in headless Chromium, without any server: tokens and samples are Python's."""

import json
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import pytest

from runtime import audio
from runtime.text import parse_phones
from runtime.text.phonemes import as_json
from runtime.voice import Voice
from tests.native.voices import copied, default_voice

browsers = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
JS = Path(__file__).parents[2] / "examples/js"
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: the demo page stays untried"),
    pytest.mark.skipif(
        not (JS / "node_modules/onnxruntime-web").is_dir(),
        reason="onnxruntime-web is not installed (make js): the demo page stays untried",
    ),
]
TEXT = (
    "IH1 T R EY1 N D IH0 N N OW0 V EH1 M B ER0 , AH0 N D DH AH0 S M AO1 L B ER1 D Z S AE1 NG"
    " IH0 N DH AH0 G AA1 R D AH0 N ."
)
SITE = "https://demo.invalid"
BUNDLES = "/bundles/"  # of the site
TYPES = {".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript"}
TYPES |= {".wasm": "application/wasm"}
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
LISTEN = """() => {
    window.spoken = new Promise((done) => document.addEventListener("spoken", ({ detail }) => done({
        tokens: detail.chunks.map((chunk) => chunk.tokens),
        samples: Array.from(detail.samples),
    })));
}"""
OVER = "() => message.textContent || !save.hidden"
WAIT_MS = 120_000  # a machine at other work
WAIT_FOR_SOFTWARE_MS = 900_000
SOFTWARE_GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")


def answer(route: "browsers.Route", *, voices: dict[str, Path], headers: dict[str, str]) -> None:
    """What a static host would send."""
    path = urlparse(route.request.url).path
    file = JS / path.lstrip("/")
    if path.startswith(BUNDLES):
        name, _, inside = path.removeprefix(BUNDLES).partition("/")
        file = voices[name] / inside
    if not file.is_file():
        route.fulfill(status=404)
        return
    kind = TYPES.get(file.suffix, "application/octet-stream")
    route.fulfill(body=file.read_bytes(), content_type=kind, headers=headers)


@pytest.fixture(scope="module")
def driver() -> Iterator["browsers.Playwright"]:
    with browsers.sync_playwright() as opened:
        yield opened


@pytest.fixture(scope="module")
def browser(driver: "browsers.Playwright") -> Iterator["browsers.Browser"]:
    opened = launched(driver)
    yield opened
    opened.close()


def launched(driver: "browsers.Playwright", *flags: str) -> "browsers.Browser":
    flags = ("--no-sandbox", "--autoplay-policy=no-user-gesture-required", *flags)
    return driver.chromium.launch(executable_path=CHROMIUM, args=list(flags))


def page_of(
    browser: "browsers.Browser", voice: Path, headers: dict[str, str] = ISOLATED
) -> "browsers.Page":
    context = browser.new_context()  # whose routes hold for workers too
    context.route(f"{SITE}/**", partial(answer, voices={"voice": voice}, headers=headers))
    page = context.new_page()
    page.goto(f"{SITE}/web/index.html")
    page.fill("#bundle", f"{BUNDLES}voice")
    return page


def speak(page: "browsers.Page", text: str, device: str = "wasm", seed: int = 7) -> dict[str, Any]:
    wait_ms = WAIT_MS if device == "wasm" else WAIT_FOR_SOFTWARE_MS
    page.fill("#phones", json.dumps(as_json(parse_phones(text, "v2"))))
    page.fill("#seed", f"{seed}")
    page.select_option("#device", device)
    page.evaluate(LISTEN)
    page.click("#speak")
    page.wait_for_function(OVER, timeout=wait_ms)
    assert page.text_content("#message") == ""
    found: dict[str, Any] = page.evaluate("window.spoken")
    return found


def compare(spoken: dict[str, Any], bundle: Path, text: str, seed: int = 7) -> None:
    with Voice.load(bundle, threads=1) as voice:
        made = list(voice.stream(text, as_phones=True, seed=seed))
    assert spoken["tokens"] == [chunk.tokens.tolist() for chunk in made]
    want = np.concatenate([chunk.samples for chunk in made])
    np.testing.assert_allclose(np.array(spoken["samples"], np.float32), want, atol=1e-4)


def test_tokens_and_samples_are_those_of_python(browser: "browsers.Browser") -> None:
    page = page_of(browser, default_voice("fp32"))
    assert page.evaluate("crossOriginIsolated")
    spoken = speak(page, TEXT)
    assert len(spoken["tokens"]) > 1
    compare(spoken, default_voice("fp32"), TEXT)
    large = 2**53 + 1  # no number of JavaScript
    compare(
        speak(page, "HH AH0 L OW1 .", seed=large), default_voice("fp32"), "HH AH0 L OW1 .", large
    )
    assert "real-time factor" in page.text_content("#status")
    with page.expect_download() as download:
        page.click("#save")
    assert audio.read(Path(download.value.path())).rate == 32000
    page.context.close()


@pytest.mark.parametrize("activations", ["int8", "fp32"])
def test_int8_equals_python_with_activations_in_fp32(
    browser: "browsers.Browser", activations: str
) -> None:
    """WebAssembly has no other products with weights in 8 bits, whatever the graph asks for."""
    page = page_of(browser, default_voice("int8", activations))
    compare(speak(page, TEXT), default_voice("int8", "fp32"), TEXT)
    page.context.close()


def test_a_page_that_is_not_isolated_speaks_with_one_thread(browser: "browsers.Browser") -> None:
    page = page_of(browser, default_voice("fp32"), {})
    assert not page.evaluate("crossOriginIsolated")
    compare(speak(page, "HH AH0 L OW1 ."), default_voice("fp32"), "HH AH0 L OW1 .")
    page.context.close()


def test_a_folder_of_the_visitor_is_spoken_from(browser: "browsers.Browser") -> None:
    page = page_of(browser, default_voice("fp32"))
    page.fill("#bundle", "nowhere")
    page.set_input_files("#folder", default_voice("fp32"))
    compare(speak(page, "HH AH0 L OW1 ."), default_voice("fp32"), "HH AH0 L OW1 .")
    page.context.close()


@pytest.mark.parametrize(
    ("harm", "phones", "line"),
    [
        ("prior.onnx", "", "error: /bundles/voice: prior.onnx is missing; build it again"),
        (
            "manifest.json",
            "",
            "error: /bundles/voice: no bundle here (manifest.json is missing); build it",
        ),
        (
            "",
            "{}",
            "error: phones: no pieces of phones; give what python -m runtime.tts --dump-phones"
            " prints",
        ),
    ],
)
def test_what_is_wrong_is_one_line(
    browser: "browsers.Browser", harm: str, phones: str, line: str, tmp_path: Path
) -> None:
    bundle = copied(default_voice("int8"), tmp_path / "bundle")
    if harm:
        (bundle / harm).unlink()
    page = page_of(browser, bundle)
    page.fill("#phones", phones)
    page.click("#speak")
    page.wait_for_function(OVER, timeout=WAIT_MS)
    assert page.text_content("#message") == line
    page.context.close()


@pytest.mark.full
def test_sound_on_a_gpu_is_that_of_python(driver: "browsers.Playwright") -> None:
    """On a GPU in software, which takes a minute for a second of sound."""
    opened = launched(driver, *SOFTWARE_GPU)
    page = page_of(opened, default_voice("fp32"))
    if not page.evaluate("!!navigator.gpu"):
        pytest.skip("this Chromium has no WebGPU")
    compare(speak(page, "HH AH0 L OW1 .", "webgpu"), default_voice("fp32"), "HH AH0 L OW1 .")
    opened.close()
