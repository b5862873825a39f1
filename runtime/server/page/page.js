// The page: asks the server it came from to speak, plays what comes, and shows what it was.
import { Player, draw } from "./player.js";
import { LANGUAGE_NAMES, WORDS, usualLanguage } from "./words.js";

const RATE = 32000;
const HISTORY = 20;
const $ = (id) => document.getElementById(id);
let words = WORDS.en;
let voices = [];
let player = null;
let request = null;
let captions = [];

function translate(code) {
  words = WORDS[code] ?? WORDS.en;
  document.documentElement.lang = code;
  for (const one of document.querySelectorAll("[data-word]")) one.textContent = words[one.dataset.word];
  for (const one of document.querySelectorAll("#history a")) one.textContent = words.download;
  $("wave").setAttribute("aria-label", words.wave);
  try { localStorage.setItem("interface", code); } catch { /* private windows keep nothing */ }
}

function headers() {
  const key = $("key").value.trim();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function say(message) {
  $("message").textContent = message;
}

async function reason(answer) {
  try {
    const body = await answer.json();
    return body.error?.message ?? body.message ?? `${answer.status}`;
  } catch {
    return `${answer.status}`;
  }
}

async function loadVoices() {
  const answer = await fetch("/v1/audio/voices", { headers: headers() });
  if (!answer.ok) throw new Error(await reason(answer));
  voices = (await answer.json()).voices;
  $("voice").replaceChildren(...voices.map((one) => new Option(one.name, one.id)));
  loadLanguages();
}

function loadLanguages() {
  const voice = voices.find((one) => one.id === $("voice").value);
  const before = $("language").value;
  const codes = ["auto", ...(voice?.languages ?? [])];
  $("language").replaceChildren(...codes.map((code) => new Option(LANGUAGE_NAMES[code] ?? code, code)));
  if (codes.includes(before)) $("language").value = before;
  else if (codes.length === 2) $("language").value = codes[1];
}

function dataUrl(file) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result.replace(/^data:[^;]*/, "data:audio/any"));
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
}

async function asked() {
  const body = {
    input: $("text").value, voice: $("voice").value, language: $("language").value,
    response_format: "pcm", sample_rate: RATE, stream_format: "sse", timestamps: true,
  };
  for (const name of ["speed", "seed", "top_k", "top_p", "temperature"]) {
    if ($(name).value !== "") body[name] = Number($(name).value);
  }
  const [file] = $("reference").files;
  if (file) {
    body.ref_audio = await dataUrl(file);
    body.ref_text = $("reference-text").value;
  }
  return body;
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (one) => one.charCodeAt(0));
}

function showCaption(event) {
  captions.push(...event.words.map((one) => {
    const span = document.createElement("span");
    span.textContent = one.word;
    return { ...one, span };
  }));
  const wide = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]/;
  $("captions").replaceChildren(...captions.flatMap(({ word, span }) => (wide.test(word) ? [span] : [span, " "])));
}

function showPosition() {
  const position = player.position;
  for (const { start, end, span } of captions) {
    span.classList.toggle("now", player.playing && position >= start && position < end);
  }
  draw($("wave"), player, player.playing ? position : player.seconds);
  if (request || player.playing) requestAnimationFrame(showPosition);
}

function remember(text, seed) {
  const url = URL.createObjectURL(player.wav());
  const item = document.createElement("li");
  const line = document.createElement("div");
  line.textContent = text.length > 120 ? `${text.slice(0, 120)}…` : text;
  const row = document.createElement("div");
  row.className = "row";
  const audio = document.createElement("audio");
  audio.controls = true;
  audio.src = url;
  const link = document.createElement("a");
  link.href = url;
  link.download = `${$("voice").value}-${seed}.wav`;
  link.textContent = words.download;
  row.append(audio, link);
  item.append(line, row);
  $("history").prepend(item);
  while ($("history").children.length > HISTORY) {
    const last = $("history").lastElementChild;
    URL.revokeObjectURL(last.querySelector("audio").src);
    last.remove();
  }
}

async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    waiting += value;
    const lines = waiting.split("\n\n");
    waiting = lines.pop();
    for (const line of lines) yield JSON.parse(line.slice("data: ".length));
  }
}

async function listen(answer, began) {
  let first = null;
  for await (const event of events(answer)) {
    if (event.type === "speech.audio.delta") {
      first ??= performance.now() - began;
      player.add(bytesOf(event.audio));
      $("first").textContent = `${Math.round(first)} ms`;
      $("length").textContent = `${player.seconds.toFixed(2)} s`;
    } else if (event.type === "speech.audio.timestamps") {
      showCaption(event);
    } else if (event.type === "error") {
      throw new Error(event.error.message);
    } else if (event.type === "speech.audio.done") {
      const took = (performance.now() - began) / 1000;
      $("factor").textContent = (took / player.seconds).toFixed(2);
      $("tokens").textContent = event.usage.output_tokens;
      return;
    }
  }
  throw new Error(words.cut);
}

async function speak() {
  stop();
  say("");
  captions = [];
  $("captions").replaceChildren();
  for (const id of ["first", "factor", "tokens", "length", "used-seed"]) $(id).textContent = "–";
  request = new AbortController();
  const mine = request;
  $("stop").disabled = false;
  player = new Player(RATE);
  const began = performance.now();
  try {
    const body = JSON.stringify(await asked());
    const how = { "Content-Type": "application/json", ...headers() };
    const answer = await fetch("/v1/audio/speech", { method: "POST", headers: how, body, signal: mine.signal });
    if (!answer.ok) throw new Error(await reason(answer));
    const seed = answer.headers.get("X-Seed");
    $("used-seed").textContent = seed;
    requestAnimationFrame(showPosition);
    await listen(answer, began);
    remember($("text").value, seed);
  } catch (error) {
    if (!mine.signal.aborted) say(error instanceof TypeError ? words.failed : error.message);
  } finally {
    if (request === mine) request = null;
    $("stop").disabled = !player.playing;
  }
}

function stop() {
  request?.abort();
  request = null;
  player?.stop();
  $("stop").disabled = true;
}

async function showProof() {
  try {
    const name = encodeURIComponent($("voice").value);
    const answer = await fetch(`/v1/audio/voices/${name}/proof`, { headers: headers() });
    if (!answer.ok) throw new Error(await reason(answer));
    const rows = (await answer.json()).measured.map(({ graph, metric, value }) => {
      const row = document.createElement("tr");
      for (const one of [graph, metric, value ?? "–"]) row.insertCell().textContent = one;
      return row;
    });
    if (!rows.length) {
      const row = document.createElement("tr");
      row.insertCell().textContent = words.none;
      rows.push(row);
    }
    $("proof-rows").replaceChildren(...rows);
    $("proof").showModal();
  } catch (error) {
    say(error instanceof TypeError ? words.failed : error.message);
  }
}

function start() {
  let code = usualLanguage();
  try { code = localStorage.getItem("interface") ?? code; } catch { /* as the browser says */ }
  $("interface").value = code in WORDS ? code : "en";
  translate($("interface").value);
  $("interface").addEventListener("change", () => translate($("interface").value));
  $("form").addEventListener("submit", (event) => { event.preventDefault(); speak(); });
  $("stop").addEventListener("click", stop);
  $("voice").addEventListener("change", loadLanguages);
  $("proof-open").addEventListener("click", showProof);
  $("key").addEventListener("change", () => loadVoices().then(() => say(""), (error) => say(error.message)));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("form").requestSubmit();
    if (event.key === "Escape" && !$("proof").open) stop();
  });
  loadVoices().catch((error) => say(error instanceof TypeError ? words.failed : error.message));
}

start();
