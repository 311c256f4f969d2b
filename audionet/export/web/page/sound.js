// From a microphone or a file to mono samples at the network's rate, and from a stream to the network's windows.

const ZERO_CROSSINGS = 24; // of the interpolating sinc on each side
const PASSBAND = 0.94; // share of the band below half of the lower rate that is kept whole

/** Resamples a stream: push() takes pieces of any length, and together its answers are the stream at the other rate. */
export class Resampler {
  #step; #phases; #kernels; #half;
  #kept; // input samples that later outputs still need, after `half` of silence
  #next; // place of the next output among them, in input samples / phases

  constructor(from, to) {
    const divisor = greatestDivisor(from, to);
    [this.#step, this.#phases] = [from / divisor, to / divisor]; // an output every step / phases inputs
    const cutoff = from === to ? 1 : PASSBAND * Math.min(1, to / from);
    this.#half = from === to ? 0 : Math.ceil(ZERO_CROSSINGS / cutoff);
    this.#kernels = Array.from({ length: this.#phases }, (_, phase) =>
      sincKernel(phase / this.#phases, cutoff, this.#half));
    this.#kept = new Float32Array(this.#half);
    this.#next = this.#half * this.#phases;
  }

  push(samples) {
    if (this.#half === 0) return samples;
    const input = joined(this.#kept, samples);
    const outputs = [];
    for (; Math.floor(this.#next / this.#phases) + this.#half + 1 < input.length; this.#next += this.#step) {
      const kernel = this.#kernels[this.#next % this.#phases];
      const first = Math.floor(this.#next / this.#phases) - this.#half;
      let sum = 0;
      for (let tap = 0; tap < kernel.length; tap++) sum += kernel[tap] * input[first + tap];
      outputs.push(sum);
    }
    const passed = Math.floor(this.#next / this.#phases) - this.#half;
    const dropped = Math.min(passed, input.length);
    this.#kept = input.slice(dropped);
    this.#next -= dropped * this.#phases;
    return Float32Array.from(outputs);
  }
}

/** Weights of the inputs from `half` before to `half + 1` behind, for an output at the share `offset` between two. */
function sincKernel(offset, cutoff, half) {
  return Float32Array.from({ length: 2 * half + 2 }, (_, tap) => {
    const distance = tap - half - offset;
    const window = Math.abs(distance) < half + 1 ? Math.cos((Math.PI * distance) / (2 * (half + 1))) ** 2 : 0;
    const angle = Math.PI * cutoff * distance;
    return cutoff * window * (angle === 0 ? 1 : Math.sin(angle) / angle);
  });
}

function greatestDivisor(a, b) {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

function joined(first, second) {
  const whole = new Float32Array(first.length + second.length);
  whole.set(first);
  whole.set(second, first.length);
  return whole;
}

/** Cuts a stream into frames of `size` samples, one every `hop`. */
export class Frames {
  #size; #hop;
  #kept; // what the next frame begins with
  #skipped = 0; // samples still to come before the next frame begins

  constructor(size, hop, before = 0) {
    [this.#size, this.#hop] = [size, hop];
    this.#kept = new Float32Array(before); // silence
  }

  /** Yields the frames that these samples complete; the next call comes when all have been taken. */
  *push(samples) {
    const stream = joined(this.#kept, samples);
    let first = this.#skipped;
    for (; first + this.#size <= stream.length; first += this.#hop) yield stream.slice(first, first + this.#size);
    const dropped = Math.min(first, stream.length);
    this.#kept = stream.slice(dropped);
    this.#skipped = first - dropped;
  }
}

/** Decodes a file, in any format that the browser knows, to mono samples at a rate. */
export async function decodeFile(file, sampleRate) {
  const context = new OfflineAudioContext(1, 1, sampleRate); // decoding resamples to its rate
  const decoded = await context.decodeAudioData(await file.arrayBuffer());
  const mono = new Float32Array(decoded.length);
  for (let number = 0; number < decoded.numberOfChannels; number++) {
    const channel = decoded.getChannelData(number);
    for (let time = 0; time < mono.length; time++) mono[time] += channel[time] / decoded.numberOfChannels;
  }
  return mono;
}

/** Opens the microphone. hear() gets its samples at the rate; ended() is called if the device goes away. */
export async function openMicrophone(sampleRate, hear, ended) {
  if (!navigator.mediaDevices) throw new Error("browsers give the microphone to pages from https or localhost only");
  const processing = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const stream = await navigator.mediaDevices.getUserMedia({ audio: processing });
  const context = new AudioContext();
  const close = () => {
    for (const track of stream.getTracks()) track.stop();
    context.close();
  };
  try {
    await context.audioWorklet.addModule("worklet.js");
    const resampler = new Resampler(context.sampleRate, sampleRate);
    const capture = new AudioWorkletNode(context, "capture", { numberOfInputs: 1 });
    capture.port.onmessage = ({ data }) => hear(resampler.push(data));
    context.createMediaStreamSource(stream).connect(capture).connect(context.destination); // which gets silence
    for (const track of stream.getTracks()) track.onended = ended;
    await context.resume();
  } catch (error) {
    close();
    throw error;
  }
  return close;
}
