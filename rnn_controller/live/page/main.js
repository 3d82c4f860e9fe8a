// The page: load the numbers, connect the views, and run.

import { App } from "./app.js";
import { ArmView } from "./arm.js";
import { differenceFromPython, paceOf } from "./check.js";
import { confine, connect, python } from "./controls.js";
import { NetworkView } from "./network.js";
import { listen } from "./pointer.js";
import { fromAddress, toAddress } from "./settings.js";
import { TraceView } from "./traces.js";

const LONGEST_FRAME = 0.1; // [s] of simulated time; what a slow machine misses is left out
const SLOW = 0.2;
const find = (id) => document.getElementById(id);

const data = await (await fetch(new URL("data.json", import.meta.url))).json();
const calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
const shared = location.hash.length > 1;
const app = new App(data, fromAddress(location.hash, data), {
  scripted: !calm && !shared,
  paused: calm,
});
app.still = calm; // nothing has been started yet
const touched = () => {
  app.scripted = false;
  if (!app.still) return;
  app.still = app.paused = false;
  app.changed();
};

const arm = new ArmView(find("arm"), app), network = new NetworkView(find("network"), app);
const views = [arm, network, new TraceView(find("traces"), app)];
connect(app, touched);
listen(find("arm"), arm, app, touched);

// For tests, and for the console.
window.live = {
  app,
  python: () => python(app),
  screen: (place) => arm.screen(place),
  neuron: (index) => network.layout?.neurons[index],
  firstFrame: null, // [ms] since the page began to load
  difference: null,
  pace: null,
  get time() { return app.simulation.time; },
  get hand() { return Array.from(app.simulation.place.subarray(0, 2)); },
  get target() { return app.target; },
};

let last = null, owed = 0, frame = 0;

function tick(now) {
  const passed = last === null ? 0 : (now - last) / 1000;
  last = now;
  if (!app.paused) owed = Math.min(owed + passed * (app.slow ? SLOW : 1), LONGEST_FRAME);
  while (!app.paused && owed >= app.simulation.period) {
    owed -= app.simulation.period;
    app.advance();
  }
  views.forEach((view) => view.draw());
  window.live.firstFrame ??= performance.now();
  frame = requestAnimationFrame(tick);
}

function start() {
  cancelAnimationFrame(frame);
  last = null;
  if (!document.hidden) frame = requestAnimationFrame(tick);
}

document.addEventListener("visibilitychange", start);
start();

// The address follows the settings, but not while the script plays.
let saving = 0;
app.listeners.push(() => {
  clearTimeout(saving);
  saving = setTimeout(() => {
    if (!app.scripted) history.replaceState(null, "", toAddress(app.settings, data));
  }, 200);
});
window.addEventListener("hashchange", () => {
  app.settings = fromAddress(location.hash, data);
  app.scripted = false;
  confine(app);
  app.changed();
});

// After the first frames: compare with Python, and measure the pace.
setTimeout(() => {
  const differences = data.controllers.map(differenceFromPython);
  const largest = Math.max(...differences), mark = find("identical");
  window.live.difference = largest;
  const same = largest === 0;
  mark.textContent = same
    ? "identical to Python to the last bit"
    : `differs from Python by ${largest.toExponential(1)}`;
  mark.className = same ? "same" : "other";
  window.live.pace = paceOf(app.controller);
  find("pace").textContent = `${Math.round(window.live.pace)} times real time`;
}, 300);
