// Where the speech of a window begins and ends: `speech_span` of audionet/audio/fitting.py; a test compares the two.
import { autocorrelation, powerSpectrum } from "./fourier.js";

const HOP = 0.01, FRAME = 0.04; // seconds
const BAND = [200, 4000]; // Hz, where speech is
const VOICES = [75, 400]; // Hz, pitches of people
const MARGIN = 3; // dB above the noise that count as nothing
const VOICED = 60, UNVOICED = 30; // dB above that, as much as counts
const QUIETEST = 60; // dB below the loudest frame, where noise is taken to begin if there is less
const PERIODIC = [0.4, 0.75]; // correlation with a pitch period ago, of frames that are noise and of voiced ones
const WEIGHT = 0.15; // of a frame that is not voiced
const SPOKEN = 0.1; // of the most speech in a frame, which is speech still
const PAUSE = 0.15; // seconds, within a word

/** Returns the samples at which the stretch with the most speech begins and ends. */
export function speechSpan(samples, sampleRate) {
  const hop = Math.max(Math.round(HOP * sampleRate), 1);
  const speech = speechOf(samples, sampleRate, hop);
  const least = SPOKEN * Math.max(...speech);
  const stretches = []; // { first, last, sum }
  speech.forEach((value, frame) => {
    if (value <= least) return;
    const latest = stretches.at(-1);
    if (!latest || frame - latest.last > Math.round(PAUSE / HOP)) stretches.push({ first: frame, last: frame, sum: value });
    else Object.assign(latest, { last: frame, sum: latest.sum + value });
  });
  if (stretches.length === 0) return [0, samples.length];
  const longest = stretches.reduce((most, stretch) => (stretch.sum > most.sum ? stretch : most));
  return [longest.first * hop, Math.min((longest.last + 1) * hop, samples.length)];
}

/** Returns how much each frame is like speech; the middle of frame t lies at t * hop. */
function speechOf(samples, sampleRate, hop) {
  const frames = framesOf(samples, sampleRate, hop);
  const decibels = frames.map(({ level }) => 10 * Math.log10(level + 1e-12));
  const noise = Math.max(percentile(decibels, 0.2), Math.max(...decibels) - QUIETEST);
  return frames.map(({ periodicity }, place) => {
    const level = Math.max(decibels[place] - noise - MARGIN, 0);
    const voiced = Math.min(Math.max((periodicity - PERIODIC[0]) / (PERIODIC[1] - PERIODIC[0]), 0), 1);
    return voiced * Math.min(level, VOICED) ** 2 + WEIGHT * (1 - voiced) * Math.min(level, UNVOICED) ** 2;
  });
}

/** Returns each frame's power in the band, and its correlation with a pitch period before (Boersma, 1993). */
function framesOf(samples, sampleRate, hop) {
  const size = Math.max(Math.round(FRAME * sampleRate), 4), half = Math.floor(size / 2);
  const shortest = Math.max(Math.floor(sampleRate / VOICES[1]), 1);
  const longest = Math.max(Math.floor(sampleRate / VOICES[0]), 1);
  const length = 2 ** Math.ceil(Math.log2(size + longest + 1));
  const window = blackman(size);
  const spectrumOf = (start, factor) => powerSpectrum(Float64Array.from({ length }, (_, time) =>
    time < size ? window[time] * factor(start + time) : 0));
  const ofWindow = autocorrelation(spectrumOf(0, () => 1));
  const isInBand = (bin) => {
    const hertz = (bin * sampleRate) / length;
    return hertz >= Math.min(BAND[0], sampleRate / 8) && hertz <= BAND[1];
  };
  return Array.from({ length: Math.floor(samples.length / hop) + 1 }, (_, frame) => {
    const power = spectrumOf(frame * hop - half, (time) => samples[time] ?? 0);
    const correlation = autocorrelation(power.map((value, bin) => (isInBand(bin) ? value : 0)));
    let pitch = -Infinity;
    for (let lag = shortest; lag <= longest; lag++) {
      pitch = Math.max(pitch, (correlation[lag] * ofWindow[0]) / ofWindow[lag]);
    }
    return { level: correlation[0], periodicity: pitch / Math.max(correlation[0], 1e-20) };
  });
}

function blackman(size) {
  return Float32Array.from({ length: size }, (_, time) => {
    const angle = (2 * Math.PI * (time + 1)) / (size + 1);
    return 0.42 - 0.5 * Math.cos(angle) + 0.08 * Math.cos(2 * angle);
  });
}

/** The value below which a share of the others lies, on the line between the two nearest. */
function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b), place = share * (sorted.length - 1), below = Math.floor(place);
  return sorted[below] + (place - below) * ((sorted[below + 1] ?? 0) - sorted[below]);
}
