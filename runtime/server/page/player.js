// Plays 16-bit samples as they come, and keeps them.
const BEHIND_S = 0.06; // how far ahead of the clock the first chunk is put

export class Player {
  constructor(rate) {
    this.rate = rate;
    this.parts = [];
    this.marks = []; // where chunks begin, in samples
    this.size = 0;
    this.context = new AudioContext();
    this.context.resume();
    this.begun = null;
    this.sources = new Set();
  }

  add(bytes) {
    const samples = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 1);
    if (!samples.length) return;
    this.marks.push(this.size);
    this.parts.push(samples);
    const buffer = this.context.createBuffer(1, samples.length, this.rate);
    buffer.getChannelData(0).set(Float32Array.from(samples, (one) => one / 32768));
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    const now = this.context.currentTime;
    if (this.begun === null) this.begun = now + BEHIND_S;
    const due = this.begun + this.size / this.rate;
    if (due < now) this.begun += now - due; // it came late: all that follows moves
    source.start(Math.max(due, now));
    source.onended = () => this.sources.delete(source);
    this.sources.add(source);
    this.size += samples.length;
  }

  get position() {
    return this.begun === null ? 0 : Math.max(0, this.context.currentTime - this.begun);
  }

  get seconds() {
    return this.size / this.rate;
  }

  get playing() {
    return this.sources.size > 0;
  }

  stop() {
    for (const source of this.sources) source.stop();
    this.sources.clear();
    if (this.context.state !== "closed") this.context.close();
  }

  samples() {
    const whole = new Int16Array(this.size);
    let at = 0;
    for (const part of this.parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  wav() {
    const header = new DataView(new ArrayBuffer(44));
    const words = (at, text) => [...text].forEach((one, n) => header.setUint8(at + n, one.charCodeAt(0)));
    const bytes = this.size * 2;
    words(0, "RIFF"); header.setUint32(4, 36 + bytes, true); words(8, "WAVEfmt ");
    header.setUint32(16, 16, true); header.setUint16(20, 1, true); header.setUint16(22, 1, true);
    header.setUint32(24, this.rate, true); header.setUint32(28, this.rate * 2, true);
    header.setUint16(32, 2, true); header.setUint16(34, 16, true);
    words(36, "data"); header.setUint32(40, bytes, true);
    return new Blob([header, this.samples()], { type: "audio/wav" });
  }
}

export function draw(canvas, player, position) {
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const { width, height } = canvas;
  pen.clearRect(0, 0, width, height);
  if (!player || !player.size) return;
  const samples = player.samples();
  const step = Math.max(1, samples.length / width);
  const played = (position / player.seconds) * width;
  for (let x = 0; x < width; x += 1) {
    let low = 0, high = 0;
    for (let at = Math.floor(x * step); at < Math.min(samples.length, (x + 1) * step); at += 1) {
      low = Math.min(low, samples[at]);
      high = Math.max(high, samples[at]);
    }
    pen.fillStyle = style.getPropertyValue(x < played ? "--accent" : "--soft");
    const top = (1 - high / 32768) * height / 2;
    pen.fillRect(x, top, 1, Math.max(1, (1 - low / 32768) * height / 2 - top));
  }
  pen.fillStyle = style.getPropertyValue("--line");
  for (const mark of player.marks) pen.fillRect(mark / step, 0, 2, height);
}
