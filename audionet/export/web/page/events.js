// Events: which keywords were said, and when, from their scores window by window. These are the rules of
// audionet/decoding/events.py, for one stream; a test compares the two.

const NONE = -1; // position of no keyword

/** The state before the first window. settings: { keywords, smoothing, hysteresis, refractory, window_seconds }. */
export function start({ keywords, smoothing }) {
  return {
    recent: Array.from({ length: smoothing }, () => keywords.map(() => 0)), // scores of the last windows
    running: NONE, // keyword of the event that goes on
    reported: keywords.map(() => -Infinity), // time at which each was last reported
  };
}

/**
 * Takes the scores of the keywords in the window that ends at a time, in seconds. Returns the event that is reported
 * with it, { keyword, start, end, score } or null, and the next state.
 */
export function advance(scores, time, thresholds, state, settings) {
  const recent = [...state.recent.slice(1), scores];
  const means = meansOf(recent);
  const { running } = state;
  if (running !== NONE && means[running] >= settings.hysteresis * thresholds[running]) {
    return [null, { ...state, recent }];
  }
  const isReady = means.map((mean, place) =>
    mean >= thresholds[place] && time - state.reported[place] >= settings.refractory);
  const best = means.reduce((chosen, mean, place) =>
    isReady[place] && (chosen === NONE || mean > means[chosen]) ? place : chosen, NONE);
  if (best === NONE) return [null, { ...state, recent, running: NONE }];
  const event = { keyword: settings.keywords[best], start: time - settings.window_seconds, end: time, score: means[best] };
  return [event, { recent, running: best, reported: state.reported.with(best, time) }];
}

function meansOf(rows) {
  return rows[0].map((_, place) => rows.reduce((sum, row) => sum + row[place], 0) / rows.length);
}
