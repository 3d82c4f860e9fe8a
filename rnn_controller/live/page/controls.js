// Buttons, sliders and keys.

import { MUSCLE_COLOURS } from "./canvas.js";
import { muscleTitle } from "./pointer.js";
import { isOffered, toAddress, toPython } from "./settings.js";

const find = (id) => document.getElementById(id);
const UNITS = { curl: " N s/m", load: " kg", delay: " s", mass: " ×", strength: " ×" };
const HINTS = {
  reach: "Drag the target. ",
  circle: "Drag the circle, or its edge. ",
  follow: "Drag the target to move its course. ",
  eight: "Drag the target to move its course. ",
  draw: "Draw a curve anywhere. ",
  plan: "The plan repeats its commands lap after lap; they can't be dragged. ",
};
const WOUND = "Drag the arm to push it. Click a muscle or a neuron to silence it.";
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const SLIDERS = ["noise", "mass", "strength", "curl", "load", "delay"];
const NUDGE = 0.01; // [m]

export function connect(app, touched) {
  for (const id of SLIDERS) {
    find(id).addEventListener("input", () => {
      app.settings[id] = find(id).valueAsNumber;
      app.changed();
    });
  }
  find("speed").addEventListener("input", () => {
    const value = find("speed").valueAsNumber;
    touched();
    if (app.kind === "circle") app.settings.circle[3] = value;
    else app.settings.pace = value;
    app.changed();
  });
  for (const button of find("task").children) {
    const { task } = button.dataset;
    button.hidden = !isOffered(task, app.settings, app.data);
    button.addEventListener("click", () => app.setTask(task));
  }
  find("controller").addEventListener("change", () => app.setController(find("controller").value));
  find("plan").replaceChildren(...app.data.plans.map(({ name }) => new Option(name, name)));
  find("plan").addEventListener("change", () => app.setPlan(find("plan").value));
  find("compare").addEventListener("change", () => {
    app.settings.compare = find("compare").value;
    app.changed();
  });
  find("pause").addEventListener("click", () => pause(app));
  find("slow").addEventListener("click", () => {
    app.slow = !app.slow;
    app.changed();
  });
  find("step").addEventListener("click", () => {
    app.paused = true;
    app.advance();
    app.changed();
  });
  find("reset").addEventListener("click", () => app.reset());
  find("heal").addEventListener("click", () => {
    Object.assign(app.settings, { neurons: [], muscles: [] });
    app.changed();
  });
  find("share").addEventListener("click", () => copy(find("share"), link(app)));
  find("python").addEventListener("click", () => copy(find("python"), python(app)));
  document.addEventListener("pointerdown", (event) => {
    if (!find("more").contains(event.target)) find("more").open = false;
  });
  muscleButtons(app);
  keys(app, touched);
  app.listeners.push(() => show(app));
  confine(app);
}

// Bring what an address said into the ranges of the workspace and the sliders.
export function confine(app) {
  app.confine();
  show(app);
  for (const id of SLIDERS) app.settings[id] = find(id).valueAsNumber;
  app.apply();
}

export function pause(app) {
  app.paused = !app.paused;
  app.still = false;
  app.changed();
}

export const python = (app) => {
  const [lowest, highest] = app.data.stops;
  const posture = [0, 1].map((i) =>
    Math.min(Math.max(app.simulation.x[i], lowest[i] + 1e-3), highest[i] - 1e-3));
  return toPython(app.settings, app.controller, posture, app.plan);
};

const link = (app) =>
  location.href.split("#")[0] + toAddress(app.settings, app.data);

async function copy(button, text) {
  const before = button.dataset.name ?? button.textContent;
  button.dataset.name = before;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } catch {
    window.prompt("Copy this:", text); // where a page may not use the clipboard
  }
  setTimeout(() => (button.textContent = before), 1200);
}

function muscleButtons(app) {
  const buttons = app.data.muscles.map((name, i) => {
    const button = document.createElement("button"), mark = document.createElement("i");
    mark.style.setProperty("--muscle", MUSCLE_COLOURS[i]);
    button.append(mark, name);
    button.addEventListener("click", () => app.toggle("muscles", i));
    return button;
  });
  find("muscles").append(...buttons);
}

function keys(app, touched) {
  document.addEventListener("keydown", (event) => {
    const { tagName, type } = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const arrow = ARROWS[event.key];
    if (arrow && type !== "range" && tagName !== "SELECT") {
      touched();
      const [x, y] = app.centre ?? app.target;
      app.moveTarget([x + NUDGE * arrow[0], y + NUDGE * arrow[1]]);
      app.changed();
    } else if (event.key === " " && !["BUTTON", "SELECT", "SUMMARY"].includes(tagName)) {
      pause(app);
    } else return;
    event.preventDefault();
  });
}

// Show the settings in all controls.
function show(app) {
  const { settings, controller } = app;
  for (const button of find("task").children) {
    button.setAttribute("aria-pressed", button.dataset.task === settings.task);
  }
  const names = app.data.controllers.filter((c) => c.task === app.kind).map((c) => c.name);
  find("controller").replaceChildren(...names.map((name) => new Option(name, name)));
  find("controller").value = controller.name;
  find("plan-label").hidden = !app.plan || app.data.plans.length < 2;
  find("plan").value = settings.plan;
  const none = new Option("none", "");
  find("compare").replaceChildren(none, ...app.rivals.map(({ name }) => new Option(name, name)));
  find("compare").value = settings.compare;
  find("size").textContent = `${controller.stateSize}-neuron`;
  find("delay").step = controller.controlPeriod;
  for (const id of SLIDERS) {
    find(id).value = settings[id];
    const value = +find(id).valueAsNumber.toFixed(3);
    const said = id === "noise" ? `${Math.round(100 * value)} %` : `${value}${UNITS[id]}`;
    find(id).nextElementSibling.textContent = said;
  }
  showSpeed(app);
  find("pause").textContent = app.still ? "start" : app.paused ? "go on" : "pause";
  find("slow").setAttribute("aria-pressed", app.slow);
  find("hint").textContent = HINTS[settings.task] + warning(app) + WOUND;
  [...find("muscles").children].forEach((button, i) => {
    button.setAttribute("aria-pressed", settings.muscles.includes(i));
    button.title = muscleTitle(app, i);
  });
}

// What a user should know of a plan that was made for another network.
function warning({ plan, controller }) {
  if (!plan || plan.madeFor.includes(controller.name)) return "";
  return `It was made for ${plan.madeFor[0] ?? "another network"}: the hand may be off the curve. `;
}

function showSpeed(app) {
  const label = find("speed-label"), slider = find("speed"), circle = app.kind === "circle";
  label.hidden = app.kind === "reach" || Boolean(app.plan);
  const [low, high, step] = circle ? [-0.6, 0.6, 0.02] : [0, 2, 0.05];
  Object.assign(slider, { min: low, max: high, step });
  slider.value = circle ? app.settings.circle[3] : app.settings.pace;
  const value = +slider.valueAsNumber.toFixed(2);
  slider.nextElementSibling.textContent = circle ? `${value} m/s` : `${value} ×`;
  label.title = circle
    ? "Speed along the circle: clockwise above 0, anticlockwise below."
    : "Speed of the target, times that of its course.";
}
