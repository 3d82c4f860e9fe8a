// Courses of moving targets. Each is a sum of sinusoids about a centre:
//   x(t) = Σ a_n cos(n ω t) + b_n sin(n ω t),  ω = 2π / duration,
// and likewise y(t), with terms [[a_x, b_x, a_y, b_y], …] for n = 1, 2, … [m].

export const FOLLOW = {
  duration: 8,
  terms: [
    [0.06, 0.08, -0.05, 0.06],
    [-0.04, 0.05, 0.035, 0.025],
    [0.025, 0.015, -0.02, 0.02],
    [0.005, -0.012, 0.01, 0.008],
  ],
};
export const EIGHT = { duration: 4, terms: [[0, 0.14, 0, 0], [0, 0, 0, 0.08]] };
// A heart, until a curve is drawn.
export const HEART = {
  duration: 4,
  terms: [
    [0, 0.084, 0.091, 0],
    [0, 0, -0.035, 0],
    [0, -0.028, -0.014, 0],
    [0, 0, -0.007, 0],
  ],
};

// What plays until the first touch: targets [m] for 1.3 s each, circles for 4 s.
export const TARGETS = [
  [-0.1, 0.48], [0.14, 0.36], [-0.2, 0.34], [0.05, 0.52], [-0.02, 0.3], [0.18, 0.46],
  [-0.16, 0.44], [0.06, 0.38],
];
export const CIRCLES = [
  [-0.05, 0.42, 0.08, 0.4], [0.06, 0.42, 0.06, -0.35], [-0.1, 0.4, 0.05, 0.3],
];

// The command at a time: position [m] and velocity [m/s].
export function commandAt({ duration, terms }, [cx, cy], time) {
  const omega = (2 * Math.PI) / duration;
  let x = cx, y = cy, vx = 0, vy = 0;
  terms.forEach(([ax, bx, ay, by], i) => {
    const w = omega * (i + 1), c = Math.cos(w * time), s = Math.sin(w * time);
    x += ax * c + bx * s;
    y += ay * c + by * s;
    vx += w * (bx * c - ax * s);
    vy += w * (by * c - ay * s);
  });
  return [x, y, vx, vy];
}

export const outline = (course, centre, points = 160) =>
  Array.from({ length: points + 1 }, (_, i) =>
    commandAt(course, centre, (course.duration * i) / points).slice(0, 2));

const SPEED = 0.25; // [m/s] mean speed along a drawn curve
export const HARMONICS = 16;
const SAMPLES = 256;
const SHORTEST = 0.05; // [m] of a curve

// The course along a drawn curve; an open curve is followed there and back. Null if it is short.
export function courseOf(points) {
  const [first, last] = [points[0], points[points.length - 1]];
  const gap = Math.hypot(first[0] - last[0], first[1] - last[1]);
  const closed = gap < 0.2 * lengths(points).pop();
  const loop = closed ? [...points, first] : [...points, ...points.slice(0, -1).reverse()];
  const along = lengths(loop), total = along[along.length - 1];
  if (!(total > SHORTEST)) return null;
  const even = Array.from({ length: SAMPLES }, (_, i) => at(loop, along, (total * i) / SAMPLES));
  const mean = [0, 1].map((k) => even.reduce((sum, p) => sum + p[k], 0) / SAMPLES);
  const terms = Array.from({ length: HARMONICS }, (_, n) => {
    const term = [0, 0, 0, 0];
    even.forEach(([x, y], i) => {
      const phase = (2 * Math.PI * (n + 1) * i) / SAMPLES;
      const c = (2 / SAMPLES) * Math.cos(phase), s = (2 / SAMPLES) * Math.sin(phase);
      [x * c, x * s, y * c, y * s].forEach((value, k) => (term[k] += value));
    });
    return term.map((value) => Math.round(1e4 * value) / 1e4);
  });
  const rounded = mean.map((value) => Math.round(1e4 * value) / 1e4);
  return { centre: rounded, course: { duration: Math.round(100 * total / SPEED) / 100, terms } };
}

function lengths(points) {
  const along = [0];
  for (let i = 1; i < points.length; i++) {
    const [[x0, y0], [x1, y1]] = [points[i - 1], points[i]];
    along.push(along[i - 1] + Math.hypot(x1 - x0, y1 - y0));
  }
  return along;
}

function at(points, along, distance) {
  let i = 1;
  while (i < along.length - 1 && along[i] < distance) i++;
  const share = (distance - along[i - 1]) / (along[i] - along[i - 1] || 1);
  return [0, 1].map((k) => points[i - 1][k] + share * (points[i][k] - points[i - 1][k]));
}
