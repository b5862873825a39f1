"""The web page in a real browser: it speaks, shows, and can be used by keyboard and on a phone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import bundles
from tests.server.running import Running, server

browsers = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: the page stays untried")
FLAGS = ["--autoplay-policy=no-user-gesture-required", "--no-sandbox"]
TEXT = "The light is on today. The door is open now."


@pytest.fixture(scope="module")
def running() -> Running:
    return server()


@pytest.fixture(scope="module")
def browser() -> Iterator["browsers.Browser"]:
    with browsers.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def is_fault(said: "browsers.ConsoleMessage") -> bool:
    """Whether a page complains; an answer of 400 is none of its faults."""
    return said.type == "error" and "400 (Bad Request)" not in said.text


@pytest.fixture
def page(browser: "browsers.Browser", running: Running) -> Iterator["browsers.Page"]:
    context = browser.new_context(locale="en-US", reduced_motion="reduce")
    opened = context.new_page()
    wrong: list[str] = []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if is_fault(said) else None)
    outside: list[str] = []
    opened.on("request", lambda asked: outside.append(asked.url))
    opened.goto(running.url)
    browsers.expect(opened.locator("#voice option")).to_have_count(2)
    yield opened
    assert wrong == []
    assert [url for url in outside if not url.startswith((running.url, "blob:", "data:"))] == []
    context.close()


def speak(page: "browsers.Page", text: str = TEXT) -> None:
    page.fill("#text", text)
    page.select_option("#language", "en")
    page.click("#speak")
    browsers.expect(page.locator("#history li")).to_have_count(1, timeout=60_000)


def test_a_text_is_spoken_shown_and_kept(page: "browsers.Page") -> None:
    page.click("summary >> nth=1")
    page.fill("#seed", "7")
    speak(page)
    assert page.text_content("#message") == ""
    assert page.text_content("#first").endswith(" ms")
    assert float(page.text_content("#factor")) > 0
    assert int(page.text_content("#tokens")) > 10
    assert page.text_content("#used-seed") == "7"
    words = page.locator("#captions span")
    assert words.nth(1).text_content() == "light"
    assert words.count() == 10
    drawn = page.evaluate(
        "() => { const c = document.getElementById('wave');"
        " return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v) }"
    )
    assert drawn
    with page.expect_download() as download:
        page.click("#history a")
    content = Path(download.value.path()).read_bytes()
    assert content[:4] == b"RIFF"
    assert download.value.suggested_filename == "flite-7.wav"


def test_a_word_lights_up_while_it_is_heard(page: "browsers.Page") -> None:
    page.fill("#text", TEXT)
    page.select_option("#language", "en")
    page.click("#speak")
    page.wait_for_selector("#captions span.now", timeout=60_000)


def test_a_recording_is_sent_along(page: "browsers.Page") -> None:
    page.click("summary >> nth=0")
    page.set_input_files("#reference", bundles.SOVITS / "ref_mono_24k.wav")
    with page.expect_request("**/v1/audio/speech") as asked:
        speak(page)
    assert asked.value.post_data_json["ref_audio"].startswith("data:audio/any;base64,UklGR")


def test_a_refusal_is_shown_in_the_servers_words(page: "browsers.Page") -> None:
    page.fill("#text", "…")
    page.click("#speak")
    browsers.expect(page.locator("#message")).to_contain_text("nothing", timeout=60_000)


def test_the_keyboard_is_enough(page: "browsers.Page") -> None:
    page.focus("#text")
    page.keyboard.type("Hello there.")
    page.select_option("#language", "en")
    page.focus("#text")
    page.keyboard.press("Control+Enter")
    browsers.expect(page.locator("#history li")).to_have_count(1, timeout=60_000)
    reached = []
    page.focus("#interface")
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert reached[:4] == ["voice", "language", "proof-open", "text"]
    assert "speak" in reached


def test_speech_can_be_stopped(page: "browsers.Page") -> None:
    page.fill("#text", TEXT * 20)
    page.select_option("#language", "en")
    page.click("#speak")
    browsers.expect(page.locator("#first")).to_contain_text("ms", timeout=60_000)
    page.keyboard.press("Escape")
    browsers.expect(page.locator("#stop")).to_be_disabled()
    assert page.text_content("#message") == ""


def test_the_proof_is_one_click_away(page: "browsers.Page") -> None:
    page.click("#proof-open")
    browsers.expect(page.locator("#proof")).to_be_visible(timeout=60_000)
    page.keyboard.press("Escape")
    browsers.expect(page.locator("#proof")).to_be_hidden()


@pytest.mark.parametrize(("code", "word"), [("zh", "朗读"), ("ja", "読み上げ"), ("en", "Speak")])
def test_the_interface_speaks_three_languages(page: "browsers.Page", code: str, word: str) -> None:
    page.select_option("#interface", code)
    assert page.text_content("#speak") == word
    empty = page.evaluate(
        "[...document.querySelectorAll('[data-word]')].filter((one) => !one.textContent).length"
    )
    assert empty == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(
    browser: "browsers.Browser", running: Running, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, color_scheme=scheme, locale="zh-CN"
    )
    page = context.new_page()
    page.goto(running.url)
    assert page.text_content("#speak") == "朗读"
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(251, 250, 247)", "dark": "rgb(20, 24, 22)"}[scheme]
    heights = page.evaluate(
        "[...document.querySelectorAll('button, input, select')].filter((one) => one.offsetHeight)"
        ".map((one) => one.offsetHeight)"
    )
    assert min(heights) >= 40
    context.close()
