// Spectra for the eye: decibels in bands that are equally wide in mel, and the colours they are painted in.
import { powerSpectrum } from "./fourier.js";

export const N_BANDS = 96;
const RANGE = 70; // decibels from black to the brightest
const LOUDEST = -8; // decibels of the brightest

// The colours from silence to the loudest, in red, green and blue.
const STOPS = [[12, 12, 24], [52, 28, 99], [128, 37, 118], [205, 64, 90], [248, 140, 60], [252, 230, 150]];

export const PALETTE = Array.from({ length: 256 }, (_, level) => {
  const place = (level / 255) * (STOPS.length - 1);
  const below = Math.min(Math.floor(place), STOPS.length - 2);
  return STOPS[below].map((value, color) => Math.round(value + (place - below) * (STOPS[below + 1][color] - value)));
});

/** The mel spectrum of frames of a stream, as levels from 0 to 255. */
export class Spectrum {
  #window; #edges; // of the bands, in bins of the transform

  constructor(sampleRate) {
    this.frameLength = 2 ** Math.round(Math.log2(0.032 * sampleRate));
    this.#window = Float32Array.from({ length: this.frameLength }, (_, time) =>
      Math.sin((Math.PI * (time + 0.5)) / this.frameLength) ** 2);
    this.#edges = melEdges(sampleRate).map((hertz) => (hertz / sampleRate) * this.frameLength);
  }

  /** Returns the levels of a frame of `frameLength` samples, the lowest band first. */
  levels(frame) {
    const power = powerSpectrum(frame.map((value, time) => value * this.#window[time]));
    const full = (this.frameLength / 4) ** 2; // of the bin of a full-scale sine
    return Uint8Array.from({ length: N_BANDS }, (_, band) => {
      const decibels = 10 * Math.log10(strongest(power, this.#edges[band], this.#edges[band + 1]) / full + 1e-12);
      return Math.max(0, Math.min(255, (255 * (decibels - LOUDEST + RANGE)) / RANGE));
    });
  }
}

/** The strongest bin of a band, or between two bins the value that lies on the line through them. */
function strongest(power, from, to) {
  const first = Math.ceil(from), last = Math.min(Math.floor(to), power.length - 1);
  if (first <= last) return Math.max(...power.slice(first, last + 1));
  const middle = (from + to) / 2, below = Math.floor(middle);
  return power[below] + (middle - below) * (power[below + 1] - power[below]);
}

function melEdges(sampleRate) {
  const top = Math.log10(1 + sampleRate / 2 / 700);
  return Array.from({ length: N_BANDS + 1 }, (_, edge) => 700 * (10 ** ((top * edge) / N_BANDS) - 1));
}
