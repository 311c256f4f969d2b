// From the scores of windows to words with times, as audionet/inference/detector.py does it.
import { advance, start } from "./events.js";
import { speechSpan } from "./speech.js";

/** Finds the keywords of one stream, whose windows come one after the other. */
export class Detector {
  #model; #state;
  #heard = -Infinity; // seconds up to which the sound belongs to an event

  constructor(model) {
    this.#model = model;
    this.#state = start(model);
  }

  /** Takes the scores of the window that ends at a sample; returns { keyword, start, end, score } or null. */
  take(scores, thresholds, sample, clipOf) {
    let event;
    [event, this.#state] = advance(scores, sample / this.#model.sample_rate, thresholds, this.#state, this.#model);
    return event && this.#placed(event, clipOf());
  }

  /** Gives an event the start and the end of the speech in its window, behind that of the event before. */
  #placed(event, clip) {
    const rate = this.#model.sample_rate;
    const skipped = Math.max(Math.round((this.#heard - event.start) * rate), 0);
    const [first, last] = speechSpan(clip.subarray(skipped), rate);
    this.#heard = event.start + (skipped + last) / rate;
    return { ...event, start: Math.max(event.start + (skipped + first) / rate, 0), end: this.#heard };
  }
}
