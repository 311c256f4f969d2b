// Hands the microphone's samples to the page, in pieces of 1024: mono, at the device's own rate.
class Capture extends AudioWorkletProcessor {
  #piece = new Float32Array(1024);
  #filled = 0;

  process([channels]) {
    if (channels.length === 0) return true; // the microphone is not connected yet
    for (let time = 0; time < channels[0].length; time++) {
      let sum = 0;
      for (const channel of channels) sum += channel[time];
      this.#piece[this.#filled++] = sum / channels.length;
      if (this.#filled === this.#piece.length) {
        this.port.postMessage(this.#piece, [this.#piece.buffer]);
        this.#piece = new Float32Array(1024);
        this.#filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("capture", Capture);
