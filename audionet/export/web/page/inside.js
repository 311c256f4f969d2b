// The second tab: the network's first filters, and what each of its stages makes of the clip that it hears now.
import { PALETTE } from "./spectrum.js";

const MOST = 64; // maps of a stage that are shown
const WARM = [213, 94, 0], COLD = [0, 114, 178]; // weights above and below zero

export class Inside {
  #figures = new Map(); // by output: the canvas and the line above it

  /** Names of the network's outputs that are shown, in the order of the data. */
  names;

  /** What is shown, by name: { shape, values }. */
  shown = {};

  constructor(model, element) {
    this.names = ["spectrogram", ...model.stages];
    this.element = element;
    const filters = this.#figure("first filters");
    if (model.filters.values) paintFilters(filters, model.filters); else filters.told.textContent = model.filters.reason;
    for (const name of this.names) this.#figures.set(name, this.#figure(name));
  }

  /** Paints the outputs of the network. */
  show(outputs) {
    for (const name of this.names) {
      this.shown[name] = outputs[name];
      paintMaps(this.#figures.get(name), outputs[name]);
    }
  }

  #figure(name) {
    const figure = document.createElement("figure"), caption = document.createElement("figcaption");
    const canvas = document.createElement("canvas"), title = document.createElement("b");
    const told = document.createElement("span");
    title.textContent = name;
    caption.append(title, " ", told);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", name);
    canvas.hidden = true;
    figure.append(caption, canvas);
    this.element.append(figure);
    return { canvas, told };
  }
}

function paintFilters({ canvas, told }, { shape: [count, bands, frames], values }) {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
  told.textContent = `${count} of ${bands} bands × ${frames} frames, weights from −${number(largest)} to ${number(largest)}`;
  paintMosaic(canvas, [Math.min(count, MOST), bands, frames], (place) =>
    [...(values[place] > 0 ? WARM : COLD), (255 * Math.abs(values[place])) / largest]);
}

/** Paints maps (1, channel, band, frame) side by side, (1, channel, frame) as rows, and (1, channel) as one row. */
function paintMaps({ canvas, told }, { shape, values }) {
  const [low, high] = values.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, -Infinity]);
  const color = (place) => [...PALETTE[Math.round(255 * Math.sqrt((values[place] - low) / (high - low || 1)))], 255];
  const [, channels, ...rest] = shape;
  const inner = rest.length === 2 ? `of ${rest[0]} bands × ${rest[1]} frames, ` : rest.length ? `× ${rest[0]} frames, ` : "";
  const left = rest.length === 2 && channels > MOST ? `, the first ${MOST} shown` : "";
  told.textContent = `${channels} channel${channels === 1 ? "" : "s"} ${inner}${number(low)} to ${number(high)}${left}`;
  if (rest.length === 2) paintMosaic(canvas, [Math.min(channels, MOST), ...rest], color);
  else paintMosaic(canvas, rest.length ? [1, channels, rest[0]] : [1, 1, channels], color);
}

/** Paints pictures (picture, band, frame), whose values lie in this order, in rows with the lowest band below. */
function paintMosaic(canvas, [count, bands, frames], color) {
  const columns = count === 1 ? 1 : Math.min(count, window.innerWidth < 600 ? 4 : 8), rows = Math.ceil(count / columns);
  const [width, height] = [columns * (frames + 1) - 1, rows * (bands + 1) - 1];
  const image = new ImageData(width, height);
  for (let place = 0; place < count * bands * frames; place++) {
    const picture = Math.floor(place / (bands * frames)), band = Math.floor(place / frames) % bands;
    const x = (picture % columns) * (frames + 1) + (place % frames);
    const y = Math.floor(picture / columns) * (bands + 1) + bands - 1 - band;
    image.data.set(color(place), 4 * (y * width + x));
  }
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  canvas.style.aspectRatio = count > 1 ? `${1.5 * columns} / ${rows}` : bands > 1 ? "3.5 / 1" : "24 / 1";
  canvas.hidden = false;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function number(value) {
  return value.toPrecision(3).replace("-", "−").replace(/(\.\d*?)0+$|\.$/, "$1").replace(/\.$/, "");
}
