// Runs the network on one clip after the other, beside the page, so that the page never waits.
import * as ort from "./ort/ort.wasm.bundle.min.mjs";

ort.env.wasm.numThreads = 1; // networks of this size gain nothing from a second thread

const ready = ort.InferenceSession.create(new URL("model.onnx", import.meta.url).href, { graphOptimizationLevel: "all" });

/** Answers { number, clip, names } with the outputs of these names: { number, outputs: { name: { shape, values } } }. */
async function answer({ number, clip, names }) {
  try {
    const session = await ready;
    const results = await session.run({ waveform: new ort.Tensor("float32", clip, [1, clip.length]) }, names);
    const outputs = Object.fromEntries(names.map((name) =>
      [name, { shape: [...results[name].dims], values: results[name].data.slice() }]));
    postMessage({ number, outputs });
  } catch (error) {
    postMessage({ number, error: error.message });
  }
}

let last = Promise.resolve(); // a session runs one clip at a time
onmessage = ({ data }) => { last = last.then(() => answer(data)); };
