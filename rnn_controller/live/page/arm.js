// The view of the arm from above: body, bones, muscles, target, hand and its trail.

import { MUSCLE_COLOURS, colours, disc, fit, line } from "./canvas.js";
import { outline } from "./courses.js";
import { joints, musclePaths, workspaceOutline } from "./geometry.js";
import { LENGTH } from "./history.js";

const TOLERANCE = 0.04; // [m] radius of the target: within it the hand is on the target
const TRAIL = 1.5; // [s]
const ARROW = 0.01; // [m/N]

export class ArmView {
  constructor(canvas, app) {
    this.canvas = canvas;
    this.app = app;
  }

  // The scale is such that workspace and body fit.
  place(width, height) {
    const edge = workspaceOutline(this.app.links, this.app.data.workspace);
    const xs = edge.map(([x]) => x), ys = edge.map(([, y]) => y);
    const [left, right] = [Math.min(...xs, -0.42) - 0.02, Math.max(...xs, 0.1) + 0.03];
    const [bottom, top] = [Math.min(...ys, -0.13), Math.max(...ys) + 0.045];
    this.scale = Math.min(width / (right - left), height / (top - bottom));
    this.x = width / 2 - (this.scale * (left + right)) / 2;
    this.y = height / 2 + (this.scale * (bottom + top)) / 2;
    this.edge = edge;
  }

  screen = ([x, y]) => [this.x + this.scale * x, this.y - this.scale * y];
  world = ([x, y]) => [(x - this.x) / this.scale, (this.y - y) / this.scale];

  // What is drawn of the arm, in metres.
  pose() {
    const [shoulder, elbow] = this.app.simulation.x;
    const points = joints(this.app.links, shoulder, elbow);
    const { muscles } = this.app.data.drawing;
    return { points, paths: musclePaths(muscles, points, shoulder, elbow) };
  }

  draw() {
    const { context, width, height } = fit(this.canvas);
    this.place(width, height);
    this.context = context;
    this.colours = colours();
    this.backdrop();
    this.goal();
    this.trail();
    this.rival();
    this.arm();
    this.arrow();
    this.scaleBar(width, height);
  }

  fill(points, colour) {
    line(this.context, points.map(this.screen), true);
    this.context.fillStyle = colour;
    this.context.fill();
  }

  stroke(points, colour, width, dash = []) {
    const { context } = this;
    line(context, points.map(this.screen));
    context.setLineDash(dash);
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke();
    context.setLineDash([]);
  }

  dot(point, metres, colour) {
    disc(this.context, this.screen(point), metres * this.scale);
    this.context.fillStyle = colour;
    this.context.fill();
  }

  backdrop() {
    const { trunk, head, nose } = this.app.data.drawing, { backdrop, line: edge } = this.colours;
    this.fill(this.edge, backdrop);
    this.fill(trunk, edge);
    this.fill(nose, this.colours.bone);
    this.fill(head, this.colours.bone);
  }

  goal() {
    const { app, context } = this, { goal, panel } = this.colours;
    if (app.plan) this.stroke([...app.plan.curve, app.plan.curve[0]], goal, 1.5);
    if (app.kind === "circle") {
      this.circle(app.command, !app.plan);
      return;
    }
    if (app.curve) this.stroke(outline(app.curve, app.centre), goal, 1.5, [2, 5]);
    if (app.sketch) this.stroke(app.sketch, goal, 3);
    const spot = this.screen(app.target);
    disc(context, spot, TOLERANCE * this.scale);
    context.fillStyle = goal;
    context.globalAlpha = 0.22;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = goal;
    context.lineWidth = 2.5;
    context.stroke();
    disc(context, spot, 4);
    context.fillStyle = goal;
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = panel;
    context.stroke();
  }

  circle([x, y, radius, speed], movable) {
    const { context } = this, { goal, panel } = this.colours;
    disc(context, this.screen([x, y]), radius * this.scale);
    context.globalAlpha = 0.12;
    context.fillStyle = goal;
    context.fill();
    context.globalAlpha = 1;
    context.strokeStyle = goal;
    context.lineWidth = 3;
    context.stroke();
    for (const handle of movable ? [[x, y], [x + radius, y]] : []) {
      disc(context, this.screen(handle), 7);
      context.fillStyle = panel;
      context.fill();
      context.lineWidth = 2.5;
      context.stroke();
    }
    // where the hand is to run: clockwise if the speed is above 0
    if (speed) this.head([x, y + radius], [Math.sign(speed), 0], goal, 9);
  }

  // An arrow's head with its tip a little ahead of a point.
  head(point, [dx, dy], colour, size) {
    const [x, y] = this.screen(point);
    line(this.context, [
      [x + size * dx, y - size * dy],
      [x - size * dx - size * dy, y + size * dy - size * dx],
      [x - size * dx + size * dy, y + size * dy + size * dx],
    ], true);
    this.context.fillStyle = colour;
    this.context.fill();
  }

  trail() {
    if (this.app.still) return;
    const { rows } = this.app.history, { ink } = this.colours;
    const { plan, simulation } = this.app;
    // of a plan a whole lap, as far as it is known
    const [seconds, fading] = plan ? [Math.min(plan.hold * plan.values.length, LENGTH), 1] : [TRAIL, 2];
    const most = Math.round(seconds / simulation.period);
    const shown = rows.slice(-most).map(({ x, y }) => [x, y]);
    this.context.lineCap = "butt";
    for (let i = 4; i < shown.length; i += 4) {
      this.context.globalAlpha = 0.55 * (i / shown.length) ** fading;
      this.stroke(shown.slice(i - 4, i + 1), ink, 2.5);
    }
    this.context.globalAlpha = 1;
    this.context.lineCap = "round";
  }

  // The arm of the controller to compare with, without its muscles.
  rival() {
    const { rival } = this.app, { high } = this.colours;
    if (!rival) return;
    const points = joints(rival.controller.links, rival.x[0], rival.x[1]);
    this.context.globalAlpha = 0.45;
    this.stroke(points, high, 0.012 * this.scale);
    this.context.globalAlpha = 1;
    this.dot(points[2], 0.01, high);
  }

  arm() {
    const { points, paths } = this.pose(), { bone, panel, ink, muted } = this.colours;
    this.stroke(points, panel, 0.034 * this.scale);
    this.stroke(points, bone, 0.026 * this.scale);
    const activations = this.app.simulation.x.subarray(4);
    paths.forEach((path, i) => {
      const silenced = this.app.simulation.muscles.has(i);
      const strength = Math.sqrt(Math.min(activations[i], 1));
      const width = (0.006 + 0.014 * strength) * this.scale;
      if (silenced) {
        this.stroke(path, muted, 1.5, [3, 4]);
        return;
      }
      this.stroke(path, panel, width + 2);
      this.stroke(path, bone, width);
      this.context.globalAlpha = 0.35 + 0.65 * strength;
      this.stroke(path, MUSCLE_COLOURS[i], width);
      this.context.globalAlpha = 1;
    });
    for (const joint of points.slice(0, 2)) {
      this.dot(joint, 0.014, panel);
      this.dot(joint, 0.009, muted);
    }
    this.dot(points[2], 0.016, panel);
    this.dot(points[2], 0.012, ink);
  }

  arrow() {
    const { force } = this.app.simulation, size = Math.hypot(...force);
    if (!size) return;
    const [x, y] = this.pose().points[2], { high } = this.colours;
    const tip = [x + ARROW * force[0], y + ARROW * force[1]];
    this.stroke([[x, y], tip], high, 4);
    this.head(tip, force.map((value) => value / size), high, 8);
    const [sx, sy] = this.screen(tip);
    this.context.fillText(`${size.toFixed(0)} N`, sx + 14, sy - 6);
  }

  scaleBar(width, height) {
    const { context, scale } = this, { muted } = this.colours, length = 0.1 * scale;
    line(context, [[width - length - 4, height - 8], [width - 4, height - 8]]);
    context.strokeStyle = context.fillStyle = muted;
    context.lineWidth = 2;
    context.stroke();
    context.textAlign = "center";
    context.fillText("10 cm", width - 4 - length / 2, height - 15);
    context.textAlign = "left";
  }
}
