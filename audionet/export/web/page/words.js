// The first tab: the spectrogram, the words that are known with their scores, the threshold, and what was heard.
import { Frames } from "./sound.js";
import { Picture, clock } from "./picture.js";
import { Spectrum } from "./spectrum.js";

const element = (id) => document.getElementById(id);

export class Words {
  #model; #spectrum; #frames; #picture;
  #chips = new Map(); // by keyword
  #moved = null; // where the slider was put; null while the model's own thresholds count

  /** Shows a model; changed() is called when other thresholds count. */
  constructor(model, changed) {
    this.#model = model;
    this.#spectrum = new Spectrum(model.sample_rate);
    for (const keyword of model.keywords) {
      const chip = document.createElement("li");
      chip.textContent = keyword;
      this.#chips.set(keyword, chip);
    }
    element("keywords").replaceChildren(...this.#chips.values());
    const slider = element("threshold");
    const move = (threshold) => {
      this.#moved = threshold;
      this.#showThreshold();
      changed();
    };
    slider.oninput = () => move(Number(slider.value));
    element("usual").onclick = () => { move(null); slider.focus(); };
    this.#showThreshold();
    this.begin(6);
  }

  /** The thresholds of the keywords, in their order. */
  get thresholds() {
    return this.#model.thresholds.map((usual) => this.#moved ?? usual);
  }

  /** Begins a stream, of which a number of seconds is seen at a time, in `most` columns at most. */
  begin(seconds, most = 600) {
    const hop = Math.max(Math.round(0.01 * this.#model.sample_rate), Math.ceil((seconds * this.#model.sample_rate) / most));
    const column = hop / this.#model.sample_rate;
    this.#frames = new Frames(this.#spectrum.frameLength, hop, this.#spectrum.frameLength / 2);
    const ends = [element("from"), element("to")];
    this.#picture = new Picture(element("spectrogram"), element("marks"), ends, Math.ceil(seconds / column), column);
    element("heard").replaceChildren();
  }

  /** Adds samples to the spectrogram. */
  see(samples) {
    for (const frame of this.#frames.push(samples)) this.#picture.add(this.#spectrum.levels(frame));
  }

  /** Shows the scores of the keywords, in their order. */
  score(scores) {
    this.#model.keywords.forEach((keyword, place) => this.#chips.get(keyword).style.setProperty("--score", scores[place]));
  }

  /** Adds detected words. */
  tell(events) {
    for (const { keyword, start, end, score } of events) {
      this.#picture.mark(keyword, end);
      element("heard").prepend(line(keyword, start, score));
      const chip = this.#chips.get(keyword);
      chip.classList.add("heard");
      setTimeout(() => chip.classList.remove("heard"), 600);
    }
  }

  /** Replaces all detected words. */
  retell(events) {
    this.#picture.unmark();
    element("heard").replaceChildren();
    this.tell(events);
  }

  #showThreshold() {
    const usual = this.#model.thresholds, low = Math.min(...usual), high = Math.max(...usual);
    if (this.#moved === null) element("threshold").value = (low + high) / 2;
    const range = low === high ? percent(low) : `${percent(low)} to ${percent(high)}, by word`;
    element("asked").textContent = this.#moved === null ? range : percent(this.#moved);
    element("usual").hidden = this.#moved === null;
  }
}

function line(keyword, start, score) {
  const item = document.createElement("li"), time = document.createElement("time");
  const word = document.createElement("b"), value = document.createElement("data");
  time.textContent = clock(start);
  time.dateTime = `PT${start.toFixed(2)}S`;
  word.textContent = keyword;
  value.textContent = percent(score);
  value.value = score;
  item.append(time, " ", word, " ", value);
  return item;
}

function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}
