/** Plays chunks of samples one behind the other, as they come. */

export class Player {
  /** @param {number} rate  Hz */
  constructor(rate) {
    this.rate = rate;
    this.context = new AudioContext();
    this.end = 0; // when the last chunk is over, by the context's clock
  }

  /** @param {Float32Array} samples */
  play(samples) {
    if (!samples.length) return;
    const buffer = this.context.createBuffer(1, samples.length, this.rate);
    buffer.copyToChannel(/** @type {Float32Array<ArrayBuffer>} */ (samples), 0);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    this.end = Math.max(this.end, this.context.currentTime);
    source.start(this.end);
    this.end += samples.length / this.rate;
  }
}
