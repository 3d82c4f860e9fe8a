// What all drawings share: sharp canvases, and the colours of style.css.

export const MUSCLE_COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];

// A context in CSS pixels, on a cleared canvas that has as many pixels as the screen.
export function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.lineCap = context.lineJoin = "round";
  context.font = "12px system-ui, sans-serif";
  return { context, width, height };
}

const NAMES = ["panel", "ink", "muted", "line", "bone", "backdrop", "accent", "goal", "low", "high"];
let known = null;

export function colours() {
  if (!known) {
    const style = getComputedStyle(document.documentElement);
    known = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  }
  return known;
}

const scheme = window.matchMedia("(prefers-color-scheme: dark)");
export function onTheme(action) {
  scheme.addEventListener("change", () => {
    known = null;
    action();
  });
}

export function line(context, points, closed = false) {
  context.beginPath();
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  if (closed) context.closePath();
}

export function disc(context, [x, y], radius) {
  context.beginPath();
  context.arc(x, y, Math.max(radius, 0), 0, 2 * Math.PI);
}
