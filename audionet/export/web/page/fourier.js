// The Fourier transform.

/** Squared magnitudes of the Fourier transform of 2^n real samples, from 0 to half of the sample rate. */
export function powerSpectrum(samples) {
  const [real, imaginary] = transform(samples);
  return Float64Array.from({ length: samples.length / 2 + 1 }, (_, bin) => real[bin] ** 2 + imaginary[bin] ** 2);
}

/** The autocorrelation of the samples that have this power spectrum, (2^n,). */
export function autocorrelation(power) {
  const size = 2 * (power.length - 1);
  const [real] = transform(Float64Array.from({ length: size }, (_, bin) => power[Math.min(bin, size - bin)]));
  return real.map((value) => value / size);
}

/** Real and imaginary part of the Fourier transform of 2^n real values: Cooley and Tukey's, in place. */
function transform(values) {
  const size = values.length, levels = Math.log2(size);
  const real = new Float64Array(size), imaginary = new Float64Array(size);
  for (let place = 0; place < size; place++) real[reversed(place, levels)] = values[place];
  for (let half = 1; half < size; half *= 2) {
    for (let turn = 0; turn < half; turn++) {
      const cosine = Math.cos((Math.PI * turn) / half), sine = -Math.sin((Math.PI * turn) / half);
      for (let upper = turn; upper < size; upper += 2 * half) {
        const lower = upper + half;
        const turnedReal = cosine * real[lower] - sine * imaginary[lower];
        const turnedImaginary = cosine * imaginary[lower] + sine * real[lower];
        [real[lower], imaginary[lower]] = [real[upper] - turnedReal, imaginary[upper] - turnedImaginary];
        [real[upper], imaginary[upper]] = [real[upper] + turnedReal, imaginary[upper] + turnedImaginary];
      }
    }
  }
  return [real, imaginary];
}

/** The number with its lowest `levels` bits in reverse order. */
function reversed(number, levels) {
  let result = 0;
  for (let level = 0; level < levels; level++) result = (result << 1) | ((number >> level) & 1);
  return result;
}
