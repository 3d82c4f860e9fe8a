// Where joints and muscles are drawn, as in arm_env/envs/muscle_paths.py.
// This is for the eye only: the physics is that of model.js.

export const between = (value, low, high) => Math.min(Math.max(value, low), high);

// Shoulder, elbow and hand [m] at joint angles [rad].
export function joints([l1, l2], shoulder, elbow) {
  const x = l1 * Math.cos(shoulder), y = l1 * Math.sin(shoulder), both = shoulder + elbow;
  return [[0, 0], [x, y], [x + l2 * Math.cos(both), y + l2 * Math.sin(both)]];
}

// Joint angles [rad], elbow flexed, that bring the hand nearest to a position [m].
export function anglesAt([l1, l2], [x, y]) {
  const cosine = (x * x + y * y - l1 * l1 - l2 * l2) / (2 * l1 * l2);
  const elbow = Math.acos(between(cosine, -1, 1));
  const shoulder =
    Math.atan2(y, x) - Math.atan2(l2 * Math.sin(elbow), l1 + l2 * Math.cos(elbow));
  const turn = 2 * Math.PI, shifted = (shoulder + Math.PI / 2) % turn;
  return [(shifted < 0 ? shifted + turn : shifted) - Math.PI / 2, elbow];
}

// The place in the workspace nearest to a position, by joint angles.
export function insideWorkspace(links, workspace, position) {
  const [shoulder, elbow] = anglesAt(links, position);
  const angles = [between(shoulder, ...workspace.shoulder), between(elbow, ...workspace.elbow)];
  return joints(links, ...angles)[2];
}

export function isInside(links, workspace, position) {
  const [x, y] = insideWorkspace(links, workspace, position);
  return Math.hypot(x - position[0], y - position[1]) < 1e-6;
}

// The edge of the hand positions in the range of postures.
export function workspaceOutline(links, { shoulder, elbow }, points = 40) {
  const along = ([low, high]) =>
    Array.from({ length: points }, (_, i) => low + ((high - low) * i) / (points - 1));
  const s = along(shoulder), e = along(elbow);
  const corners = [
    ...s.map((angle) => [angle, elbow[0]]),
    ...e.map((angle) => [shoulder[1], angle]),
    ...s.reverse().map((angle) => [angle, elbow[1]]),
    ...e.reverse().map((angle) => [shoulder[0], angle]),
  ];
  return corners.map((angles) => joints(links, ...angles)[2]);
}

// Polylines [m] of the muscles: strings drawn taut round a pulley at every joint they cross.
export function musclePaths(layout, points, shoulder, elbow) {
  const headings = [0, shoulder, shoulder + elbow]; // of trunk, upper arm and forearm
  return layout.map((muscle) => taut(slack(muscle, points, headings), muscle.side));
}

function place([link, distance, bearing], points, headings) {
  const near = points[Math.max(link - 1, 0)], angle = headings[link] + (bearing * Math.PI) / 180;
  return [near[0] + distance * Math.cos(angle), near[1] + distance * Math.sin(angle)];
}

function slack({ side, pulley, origin, insertion }, points, headings) {
  const chain = [place(origin, points, headings)], end = place(insertion, points, headings);
  for (let joint = origin[0]; joint < insertion[0]; joint++) {
    const [cx, cy] = points[joint], last = chain[chain.length - 1];
    const onward = joint + 1 === insertion[0] ? end : points[joint + 1];
    const from = Math.atan2(last[1] - cy, last[0] - cx);
    const to = Math.atan2(onward[1] - cy, onward[0] - cx);
    const turn = 2 * Math.PI, raw = (side * (from - to) + 0.1) % turn;
    const sweep = (raw < 0 ? raw + turn : raw) - 0.1;
    for (let i = 0; i < 24; i++) {
      const angle = from - (side * sweep * i) / 23;
      chain.push([cx + pulley * Math.cos(angle), cy + pulley * Math.sin(angle)]);
    }
  }
  return [...chain, end];
}

// Keep only the points at which the string bends round a pulley (Graham's scan).
function taut(chain, side) {
  const kept = [];
  for (const point of chain) {
    while (kept.length > 1) {
      const [[x0, y0], [x1, y1]] = kept.slice(-2);
      const dx = x1 - x0, dy = y1 - y0, ex = point[0] - x1, ey = point[1] - y1;
      if (side * (dx * ey - dy * ex) < 0 && dx * ex + dy * ey > 0) break;
      kept.pop();
    }
    kept.push(point);
  }
  return kept;
}

// The distance [m] of a point from a polyline.
export function distanceTo(path, [x, y]) {
  let least = Infinity;
  for (let i = 1; i < path.length; i++) {
    const [ax, ay] = path[i - 1], dx = path[i][0] - ax, dy = path[i][1] - ay;
    const t = between(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy || 1), 0, 1);
    least = Math.min(least, Math.hypot(x - ax - t * dx, y - ay - t * dy));
  }
  return least;
}
