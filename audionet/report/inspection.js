"use strict";
// One sound at a time, whichever player it comes from.
document.addEventListener("play", (event) => {
  for (const other of document.querySelectorAll("audio")) if (other !== event.target) other.pause();
}, true);

for (const map of document.querySelectorAll(".map")) {
  const data = JSON.parse(map.querySelector("script").textContent);
  const points = [...map.querySelectorAll("path")];
  const sound = map.querySelector("audio"), told = map.querySelector("output"), svg = map.querySelector("svg");
  const chosen = { place: 0, by: 0, value: null };

  const select = (point) => {
    for (const other of points) other.tabIndex = other === point ? 0 : -1;
    map.querySelector("path.on")?.classList.remove("on");
    point.classList.add("on");
  };
  const play = async (number) => {
    const clip = data.clips[number], [name, , , heard] = clip;
    select(points[number]);
    const whose = data.by.map((group, row) => group.names[clip[1][row]]).join(", ");
    const sentence = `${name}: ${whose}${heard ? `; heard as ${heard}` : ""}`;
    sound.pause();
    if (clip[2] === null) {
      sound.removeAttribute("src");
      told.textContent = `${sentence} (its sound is not in this page)`;
      return;
    }
    told.textContent = sentence;
    sound.src = `data:audio/flac;base64,${data.sounds[clip[2]]}`;
    try { await sound.play(); } catch (error) {
      if (error.name !== "AbortError") told.textContent = `${sentence} (cannot be played: ${error.message})`;
    }
  };
  const show = () => {
    const group = data.by[chosen.by];
    points.forEach((point, number) => {
      const [x, y] = data.places[chosen.place][number], value = data.clips[number][1][chosen.by];
      point.style.transform = `translate(${x}px, ${y}px)`;
      point.style.setProperty("--hue", group.hues[value]);
      point.classList.toggle("dim", chosen.value !== null && chosen.value !== value);
    });
    for (const button of map.querySelectorAll("button")) {
      const { kind, number } = button.dataset;
      button.setAttribute("aria-pressed", String(chosen[kind] === Number(number) && chosen[kind] !== null));
    }
    map.querySelectorAll(".legend").forEach((legend, number) => { legend.hidden = number !== chosen.by; });
  };
  map.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    const { kind } = button.dataset, number = Number(button.dataset.number);
    if (kind === "by") chosen.value = null;
    chosen[kind] = kind === "value" && chosen.value === number ? null : number;
    show();
  });
  // A finger is wider than a point: the nearest one within 24 pixels is meant.
  svg.addEventListener("click", (event) => {
    const gaps = points.map((point) => {
      const box = point.getBoundingClientRect();
      return Math.hypot(box.x + box.width / 2 - event.clientX, box.y + box.height / 2 - event.clientY);
    });
    const best = gaps.indexOf(Math.min(...gaps));
    if (gaps[best] <= 24) play(best);
  });
  svg.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const here = points.indexOf(event.target);
    if (here < 0) return;
    if (event.key === "Enter" || event.key === " ") play(here);
    else if (way) {
      const places = data.places[chosen.place], [x, y] = places[here];
      let best = -1, least = Infinity;
      places.forEach(([otherX, otherY], number) => {
        const ahead = (otherX - x) * way[0] + (otherY - y) * way[1];
        const aside = Math.abs((otherX - x) * way[1]) + Math.abs((otherY - y) * way[0]);
        if (number !== here && ahead > 0 && ahead + 2 * aside < least) [best, least] = [number, ahead + 2 * aside];
      });
      if (best >= 0) { select(points[best]); points[best].focus(); }
    } else return;
    event.preventDefault();
  });
  show();
}
