// The page: one stream at a time, from the microphone or a recording, through the network to words and pictures.
import { Detector } from "./detector.js";
import { Inside } from "./inside.js";
import { Network } from "./network.js";
import { clock } from "./picture.js";
import { Frames, decodeFile, openMicrophone } from "./sound.js";
import { Words } from "./words.js";

const LIVE_SECONDS = 6; // of the live spectrogram
const MOST_BEHIND = 10; // windows that a slow device may be late
const LARGEST_FILE = 200e6; // bytes; decoding takes several times as much memory

const element = (id) => document.getElementById(id);
const network = new Network(); // loads while the rest does
const model = await (await fetch("model.json")).json();
const words = new Words(model, thresholdsChanged);

/** The second tab; what it shows is public to tests. */
export const inside = new Inside(model, element("stages"));

let live = null; // the microphone: { detector, windows, heard, close, lost }
let recording = null; // a file: { samples, with silence behind them; length without it; scores of each window }

// ---- the microphone ---------------------------------------------------------------------------------------------

async function listen() {
  leave();
  say("Waiting for the microphone…");
  const mine = live = { detector: new Detector(model), windows: windowsOf(), heard: 0, close: () => {}, lost: 0 };
  words.begin(LIVE_SECONDS);
  showButtons();
  try {
    const close = await openMicrophone(model.sample_rate, (samples) => mine === live && hear(mine, samples), () => {
      leave();
      say("The microphone is gone: connect it, then listen again.", true);
    });
    if (mine !== live) return close(); // stopped meanwhile
    mine.close = close;
    say("Listening");
  } catch (error) {
    if (mine !== live) return;
    leave();
    say(`No microphone: ${explained(error)}.`, true);
  }
}

function hear(stream, samples) {
  words.see(samples);
  for (const clip of stream.windows.push(samples)) {
    stream.heard += model.hop_length;
    if (network.behind > MOST_BEHIND) stream.lost++;
    else answer(stream, clip, stream.heard);
  }
  if (stream.lost) say(`Listening, but this device is too slow: ${stream.lost} windows were left out.`, true);
}

async function answer(stream, clip, end) {
  const outputs = await network.run(clip, names());
  if (stream !== live) return;
  const scores = scoresOf(outputs);
  words.score(scores);
  const event = stream.detector.take(scores, words.thresholds, end, () => clip);
  if (event) words.tell([event]);
  if (outputs.spectrogram) inside.show(outputs);
}

/** Leaves the stream that was heard, whichever it is. */
function leave() {
  live?.close();
  [live, recording] = [null, null];
  element("moment-row").hidden = true;
  showButtons();
}

// ---- a recording ------------------------------------------------------------------------------------------------

async function hearFile(file) {
  leave();
  const mine = recording = { samples: null, length: 0, scores: [] };
  showButtons();
  try {
    if (file.size > LARGEST_FILE) throw new Error(`expected at most ${LARGEST_FILE / 1e6} MB, got ${Math.round(file.size / 1e6)} MB; cut it`);
    say(`Reading ${file.name}…`);
    const samples = await decodeFile(file, model.sample_rate);
    if (mine !== recording) return;
    if (samples.length === 0) throw new Error("there is no sound in it");
    [mine.samples, mine.length] = [withSilence(samples), samples.length];
    words.begin(samples.length / model.sample_rate, 1200);
    await answerAll(mine);
    if (mine !== recording) return;
    tellRecording(mine);
    say(`${file.name}, ${clock(samples.length / model.sample_rate)}`);
    showMoment(mine);
  } catch (error) {
    if (mine !== recording) return;
    leave();
    say(`${file.name}: ${explained(error)}.`, true);
  }
}

/** Runs the network on every window of a recording. */
async function answerAll(mine) {
  const windows = windowsOf(), second = model.sample_rate;
  for (let first = 0; first < mine.samples.length; first += second) {
    words.see(mine.samples.subarray(first, Math.min(first + second, mine.length)));
    for (const clip of windows.push(mine.samples.subarray(first, first + second))) {
      const scores = scoresOf(await network.run(clip, ["probabilities"]));
      if (mine !== recording) return;
      mine.scores.push(scores);
      words.score(scores);
    }
    say(`Listening to ${clock(first / second)} of ${clock(mine.length / second)}`);
  }
}

/** Applies the rules of events to the scores of a recording, with the thresholds of now. */
function tellRecording({ samples, scores }) {
  const detector = new Detector(model);
  const found = scores.map((each, window) => {
    const end = (window + 1) * model.hop_length;
    return detector.take(each, words.thresholds, end, () => clipBefore(samples, end));
  });
  words.retell(found.filter((event) => event !== null));
}

function thresholdsChanged() {
  if (recording?.samples) tellRecording(recording);
}

/** Lets the second tab move over a recording, and begins where a word is the most certain. */
function showMoment(mine) {
  const best = mine.scores.map((scores) => Math.max(...scores));
  element("moment").max = mine.scores.length - 1;
  element("moment").value = best.indexOf(Math.max(...best));
  element("moment-row").hidden = false;
  lookInside();
}

async function lookInside() {
  if (element("moment-row").hidden || element("inside").hidden) return;
  const mine = recording, end = (Number(element("moment").value) + 1) * model.hop_length;
  element("shown").textContent = `${clock(Math.max(0, end - model.clip_length) / model.sample_rate)} to ${clock(end / model.sample_rate)}`;
  const outputs = await network.run(clipBefore(mine.samples, end), names());
  if (mine === recording) inside.show(outputs);
}

// ---- both -------------------------------------------------------------------------------------------------------

function windowsOf() {
  return new Frames(model.clip_length, model.hop_length, model.clip_length - model.hop_length);
}

/** Returns a recording with silence of half a window behind it, in which its last word comes to the middle. */
function withSilence(samples) {
  const longer = new Float32Array(samples.length + Math.floor(model.clip_length / 2));
  longer.set(samples);
  return longer;
}

function clipBefore(samples, end) {
  const clip = new Float32Array(model.clip_length), first = end - model.clip_length;
  clip.set(samples.subarray(Math.max(0, first), end), Math.max(0, -first));
  return clip;
}

/** Outputs of the network that are asked for: the maps of its stages only while they are looked at. */
function names() {
  return element("inside").hidden ? ["probabilities"] : ["probabilities", ...inside.names];
}

function scoresOf({ probabilities }) {
  return model.keywords.map((keyword) => probabilities.values[model.labels.indexOf(keyword)]);
}

// ---- the controls -----------------------------------------------------------------------------------------------

function say(text, isWrong = false) {
  element("status").textContent = text;
  element("status").classList.toggle("wrong", isWrong);
}

function explained(error) {
  const known = {
    NotAllowedError: "the browser was not allowed to listen; permit the microphone for this page",
    NotFoundError: "none is connected",
    NotReadableError: "another program uses it, or the system does not let the browser have it",
    EncodingError: "this browser cannot decode it; try WAV, MP3 or M4A",
  };
  return known[error.name] ?? error.message;
}

function showButtons() {
  element("listen").textContent = live ? "Stop" : "Listen";
  element("listen").setAttribute("aria-pressed", String(live !== null));
}

function toggle() {
  if (!live) return listen();
  leave();
  say("Stopped");
}

function openTab(tab) {
  for (const other of document.querySelectorAll("[role=tab]")) {
    other.setAttribute("aria-selected", String(other === tab));
    other.tabIndex = other === tab ? 0 : -1;
    element(other.getAttribute("aria-controls")).hidden = other !== tab;
  }
  tab.focus();
  lookInside();
}

function connectControls() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  for (const tab of tabs) {
    tab.onclick = () => openTab(tab);
    tab.onkeydown = ({ key }) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
      if (step) openTab(tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length]);
    };
  }
  element("listen").onclick = toggle;
  element("choose").onclick = () => element("file").click();
  element("file").onchange = ({ target }) => {
    if (target.files.length) hearFile(target.files[0]);
    target.value = ""; // so that the same file can be chosen again
  };
  element("moment").oninput = lookInside;
  connectDrops();
}

function connectDrops() {
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("over");
  });
  addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) document.body.classList.remove("over"); // the window was left
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("over");
    if (event.dataTransfer.files.length) hearFile(event.dataTransfer.files[0]);
  });
}

async function start() {
  document.title = model.name;
  document.querySelector("h1").textContent = model.name;
  connectControls();
  try {
    await network.run(new Float32Array(model.clip_length), ["probabilities"]);
  } catch (error) {
    return say(`The network cannot be loaded: ${error.message}.`, true);
  }
  for (const id of ["listen", "choose"]) element(id).disabled = false;
  say("Ready: listen, or drop a recording here. No sound leaves this page.");
  navigator.serviceWorker?.register("service_worker.js", { updateViaCache: "none" });
}

await start();
