// The page's side of the network: a clip goes in, a promise of its outputs comes out.

export class Network {
  #worker = new Worker(new URL("network_worker.js", import.meta.url), { type: "module" });
  #waiting = new Map(); // by number: what to call with the answer
  #asked = 0;

  constructor() {
    this.#worker.onmessage = ({ data: { number, outputs, error } }) => {
      const { resolve, reject } = this.#waiting.get(number);
      this.#waiting.delete(number);
      if (error) reject(new Error(error)); else resolve(outputs);
    };
    this.#worker.onerror = ({ message }) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(message ?? "the network cannot be loaded"));
      this.#waiting.clear();
    };
  }

  /** Clips that have been asked about and not been answered. */
  get behind() {
    return this.#waiting.size;
  }

  /** Returns the outputs of these names for a clip, { name: { shape, values } }. */
  run(clip, names) {
    const number = this.#asked++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#worker.postMessage({ number, clip, names });
    });
  }
}
