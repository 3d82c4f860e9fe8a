// Gestures on the view of the arm: mouse, pen and touch.

import { courseOf } from "./courses.js";
import { distanceTo, insideWorkspace } from "./geometry.js";
import { outline } from "./courses.js";

const TARGET = 0.042, HANDLE = 0.026, RIM = 0.016, BONE = 0.03, MUSCLE = 0.012, CURVE = 0.018; // [m]
const STIFFNESS = 100; // [N/m] force for a drag
const CLICK = 4; // [pixels] that a click may move
const CURSORS = { muscle: "pointer", draw: "crosshair", jump: "crosshair" };
const TITLES = {
  target: "The target. Drag it, or move it with the arrow keys.",
  centre: "Drag it: the whole curve moves.",
  radius: "Drag it to change the radius.",
  bone: "The arm. Drag it: the force acts on the hand.",
  draw: "Draw a curve.",
  jump: "Click to put the target here.",
};
export const MUSCLE_NAMES = {
  SF: "shoulder flexor", SE: "shoulder extensor", EF: "elbow flexor", EE: "elbow extensor",
  BF: "biarticular flexor", BE: "biarticular extensor",
};

const apart = ([x0, y0], [x1, y1]) => Math.hypot(x1 - x0, y1 - y0);

// What lies at a place [m]: the kind of gesture that begins there, and of which muscle.
function found(view, app, place) {
  const { points, paths } = view.pose(), { task, circle } = app.settings;
  const kind = app.plan ? "plan" : app.kind; // no gesture changes a plan
  if (kind === "circle") {
    const [x, y, radius] = circle, distance = apart(place, [x, y]);
    if (apart(place, [x + radius, y]) < HANDLE) return { kind: "radius" };
    if (distance < HANDLE) return { kind: "centre" };
    if (Math.abs(distance - radius) < RIM) return { kind: "radius" };
  } else if (kind !== "plan" && task !== "draw" && apart(place, app.target) < TARGET) {
    return { kind: kind === "reach" ? "target" : "centre" };
  }
  const near = paths.map((path) => distanceTo(path, place)), least = Math.min(...near);
  const onBone = distanceTo(points, place) < BONE;
  if (least < MUSCLE) return { kind: "muscle", muscle: near.indexOf(least), onBone };
  if (onBone) return { kind: "bone", onBone };
  if (task === "draw") return { kind: "draw" };
  if (kind === "follow" && distanceTo(outline(app.curve, app.centre), place) < CURVE) {
    return { kind: "centre" };
  }
  return { kind: kind === "reach" ? "jump" : "none" };
}

export function listen(canvas, view, app, touched) {
  let gesture = null;
  const placeOf = (event) => view.world([event.offsetX, event.offsetY]);

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || gesture) return; // one pointer at a time
    canvas.setPointerCapture(event.pointerId);
    const at = placeOf(event), what = found(view, app, at);
    touched();
    const from = app.target;
    gesture = { ...what, at, from, offset: [from[0] - at[0], from[1] - at[1]], moved: false };
    gesture.pointer = event.pointerId;
    gesture.screen = [event.offsetX, event.offsetY];
    gesture.centre = app.centre ? [...app.centre] : null;
    if (what.kind === "jump") {
      Object.assign(gesture, { kind: "target", offset: [0, 0] });
      app.moveTarget(at);
    }
    if (what.kind === "draw") app.sketch = [insideWorkspace(app.links, app.data.workspace, at)];
  });

  canvas.addEventListener("pointermove", (event) => {
    const at = placeOf(event);
    if (gesture) {
      if (event.pointerId !== gesture.pointer) return;
      gesture.moved ||= apart([event.offsetX, event.offsetY], gesture.screen) > CLICK;
      if (gesture.moved) drag(app, gesture, at);
      return;
    }
    const { kind, muscle } = found(view, app, at);
    canvas.style.cursor = CURSORS[kind] ?? (kind === "none" ? "default" : "grab");
    canvas.title = kind === "muscle" ? muscleTitle(app, muscle) : TITLES[kind] ?? "";
  });

  const end = (event) => {
    if (event.pointerId !== gesture?.pointer) return;
    const { kind, moved, muscle } = gesture;
    if (kind === "muscle" && !moved) app.toggle("muscles", muscle);
    if (kind === "draw") finish(app);
    app.push([0, 0]);
    gesture = null;
    app.changed();
  };
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("pointercancel", end);
}

function drag(app, gesture, at) {
  const { kind, onBone, offset, centre } = gesture;
  const [dx, dy] = [at[0] - gesture.at[0], at[1] - gesture.at[1]];
  if (onBone) app.push([STIFFNESS * dx, STIFFNESS * dy]);
  else if (kind === "radius") {
    const [x, y, , speed] = app.settings.circle;
    app.setCircle([x, y, apart(at, [x, y]), speed]);
  } else if (kind === "draw") {
    app.sketch.push(insideWorkspace(app.links, app.data.workspace, at));
  } else if (kind === "centre" && centre) app.moveTarget([centre[0] + dx, centre[1] + dy]);
  else if (kind === "target" || kind === "centre") {
    app.moveTarget([at[0] + offset[0], at[1] + offset[1]]);
  }
}

function finish(app) {
  const drawn = courseOf(app.sketch);
  app.sketch = null;
  if (!drawn) return;
  app.settings.courses.draw = drawn.course;
  app.settings.centres.draw = drawn.centre;
  app.course = 0;
}

export function muscleTitle(app, muscle) {
  const name = app.data.muscles[muscle], silenced = app.simulation.muscles.has(muscle);
  const next = silenced ? "bring it back" : "silence it";
  return `${name}, ${MUSCLE_NAMES[name] ?? "a muscle"}. Click to ${next}.`;
}
