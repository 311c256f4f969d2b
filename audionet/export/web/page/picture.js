// The spectrogram: columns that fill a canvas from the left and then push the oldest out, with words above their times.
import { N_BANDS, PALETTE } from "./spectrum.js";

export class Picture {
  #context; #marks; #span; #seconds; #ends;
  #columns = []; // that have not been painted
  #painted = 0; // all that ever were
  #words = [];

  /** Shows `span` columns of `seconds` each on a canvas, words on an element over it, and the times at both ends. */
  constructor(canvas, marks, [from, to], span, seconds) {
    [this.#marks, this.#ends, this.#span, this.#seconds] = [marks, [from, to], span, seconds];
    [canvas.width, canvas.height] = [span, N_BANDS];
    this.#context = canvas.getContext("2d");
    marks.replaceChildren();
    this.#tellTimes();
  }

  add(column) {
    if (this.#columns.push(column) === 1) requestAnimationFrame(() => this.#paint());
  }

  /** Writes a word that ends at a time, in seconds. */
  mark(word, time) {
    const label = document.createElement("span");
    label.textContent = word;
    label.classList.toggle("lower", this.#words.at(-1)?.label.classList.contains("lower") === false); // neighbours are apart
    this.#words.push({ label, time });
    this.#marks.append(label);
    this.#place();
  }

  unmark() {
    this.#words = [];
    this.#marks.replaceChildren();
  }

  #paint() {
    const columns = this.#columns.splice(0);
    const left = Math.min(this.#painted, this.#span) + columns.length - this.#span; // columns that have to go
    if (left > 0) this.#context.drawImage(this.#context.canvas, -left, 0);
    const shown = columns.slice(-this.#span);
    this.#painted += columns.length;
    this.#context.putImageData(imageOf(shown), Math.min(this.#painted, this.#span) - shown.length, 0);
    this.#place();
    this.#tellTimes();
  }

  get #first() {
    return Math.max(0, this.#painted - this.#span) * this.#seconds;
  }

  #place() {
    const seconds = this.#span * this.#seconds;
    this.#words = this.#words.filter(({ label, time }) => {
      const share = (time - this.#first) / seconds;
      label.style.left = `${100 * Math.min(share, 1)}%`;
      label.style.translate = `${-100 * Math.min(Math.max(share, 0), 1)}% 0`; // all of it inside
      if (share < 0) label.remove();
      return share >= 0;
    });
  }

  #tellTimes() {
    this.#ends[0].textContent = clock(this.#first);
    this.#ends[1].textContent = clock(this.#first + this.#span * this.#seconds);
  }
}

function imageOf(columns) {
  const image = new ImageData(columns.length, N_BANDS);
  columns.forEach((column, x) => column.forEach((level, band) => {
    image.data.set([...PALETTE[level], 255], 4 * (x + columns.length * (N_BANDS - 1 - band)));
  }));
  return image;
}

/** Writes seconds as minutes and seconds: 63.25 as 1:03.3. */
export function clock(seconds) {
  const tenths = Math.round(10 * seconds);
  return `${Math.floor(tenths / 600)}:${((tenths % 600) / 10).toFixed(1).padStart(4, "0")}`;
}
