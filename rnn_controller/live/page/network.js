// The network: neurons as discs, five blocks of weights, and the tuning of one neuron.

import { colours, disc, fit, line, onTheme } from "./canvas.js";
import { image, signed } from "./heatmap.js";
import { DIRECTIONS } from "./history.js";
import { place } from "./network_layout.js";

const BLOCKS = {
  sensory: "W_ys: weights from senses (columns: lengths, velocities, tensions) to neurons (rows).",
  command: "W_yk: weights from the command to neurons.",
  recurrent: "W_yy: weights from neurons (columns) to neurons (rows).",
  reflex: "W_us: weights from senses to muscles, the reflexes.",
  motor: "W_uy: weights from neurons to muscles.",
};

export class NetworkView {
  constructor(canvas, app) {
    this.canvas = canvas;
    this.app = app;
    this.hovered = null;
    this.shown = null; // the neuron whose tuning is drawn
    this.largest = 0.2;
    onTheme(() => (this.images = null));
    canvas.addEventListener("pointermove", (event) => this.point(event));
    canvas.addEventListener("pointerleave", () => (this.hovered = null));
    canvas.addEventListener("click", (event) => {
      this.point(event);
      if (this.hovered !== null) app.toggle("neurons", this.hovered);
    });
  }

  point({ offsetX, offsetY }) {
    if (!this.layout) return;
    const neuron = this.layout.neuronAt(offsetX, offsetY);
    this.hovered = neuron;
    if (neuron !== null) this.shown = neuron;
    this.canvas.style.cursor = neuron === null ? "default" : "pointer";
    const block = this.layout.blockAt(offsetX, offsetY);
    const silenced = this.app.simulation.neurons.has(neuron);
    this.canvas.title = block ? (BLOCKS[block] ?? block)
      : neuron !== null ? `Neuron ${neuron}. Click to ${silenced ? "bring it back" : "silence it"}.`
        : "";
  }

  // Layout and images, again when the controller, the size or the colours change.
  prepare(width, height) {
    const { controller } = this.app, key = `${controller.name} ${width} ${height}`;
    if (this.images && this.key === key) return;
    if (this.controller !== controller) {
      this.controller = controller;
      this.largest = 0.2;
      this.shown = null;
      this.hovered = null;
    }
    this.key = key;
    this.layout = place(controller, width, height);
    this.images = controller.weights.map((matrix) => image(matrix, this.colours));
  }

  draw() {
    const { context, width, height } = fit(this.canvas);
    this.context = context;
    this.colours = colours();
    this.prepare(width, height);
    this.blocks();
    this.neurons();
    this.shown ??= this.app.history.mostActive();
    if (this.shown !== null) this.tuning();
  }

  label(text, x, y, align = "left") {
    const { context } = this;
    context.textAlign = align;
    context.fillStyle = this.colours.muted;
    context.fillText(text, x, y);
    context.textAlign = "left";
  }

  upright(text, x, y) {
    const { context } = this;
    context.save();
    context.translate(x, y);
    context.rotate(-Math.PI / 2);
    this.label(text, 0, 0, "center");
    context.restore();
  }

  blocks() {
    const { context, layout, images, hovered } = this, { ink, line: edge } = this.colours;
    context.imageSmoothingEnabled = false;
    for (const { index, x, y, width, height } of layout.blocks) {
      context.drawImage(images[index], x, y, width, height);
      context.strokeStyle = edge;
      context.lineWidth = 1;
      context.strokeRect(x - 0.5, y - 0.5, width + 1, height + 1);
    }
    for (const { text, x, y, upright } of layout.labels) {
      if (upright) this.upright(text, x, y);
      else this.label(text, x, y);
    }
    this.senders();
    if (hovered === null || !layout.cell) return;
    context.strokeStyle = ink;
    context.lineWidth = 1.5;
    for (const { name, x, y, width, height } of layout.blocks) {
      const { cell } = layout;
      if (["sensory", "command", "recurrent"].includes(name)) {
        context.strokeRect(x, y + hovered * cell, width, cell);
      }
      if (["recurrent", "motor"].includes(name)) {
        context.strokeRect(x + hovered * cell, y, cell, height);
      }
    }
  }

  // A strip above the columns: how active each neuron is that sends.
  senders() {
    const { context, layout, app } = this;
    const recurrent = layout.blocks.find(({ name }) => name === "recurrent");
    if (!recurrent || !layout.cell) return;
    context.fillStyle = this.colours.accent;
    app.simulation.y.forEach((activity, i) => {
      context.globalAlpha = Math.min(Math.abs(activity) / this.largest, 1);
      context.fillRect(recurrent.x + i * layout.cell, recurrent.y - 5, layout.cell, 3);
    });
    context.globalAlpha = 1;
  }

  neurons() {
    const { context, layout, hovered } = this, { simulation, controller } = this.app;
    const { accent, line: edge, muted, high, ink } = this.colours, { y } = simulation;
    this.largest = Math.max(0.2, 0.998 * this.largest, ...y.map(Math.abs));
    const recurrent = layout.cell ? controller.blocks.indexOf("recurrent") : -1;
    const weights = controller.weights[recurrent];
    const strongest = weights && Math.max(...weights.data.map(Math.abs));
    layout.neurons.forEach((spot, i) => {
      const silenced = simulation.neurons.has(i);
      disc(context, spot, layout.radius);
      context.fillStyle = edge;
      context.globalAlpha = 0.5;
      context.fill();
      context.globalAlpha = 1;
      disc(context, spot, layout.radius * Math.sqrt(Math.abs(y[i]) / this.largest));
      context.fillStyle = y[i] < 0 ? high : accent;
      context.fill();
      if (silenced) this.cross(spot, layout.radius * 0.5, muted);
      if (hovered !== null && weights) {
        const weight = i === hovered ? 0 : weights.data[i * weights.columns + hovered];
        context.strokeStyle = i === hovered ? ink : signed(weight, this.colours);
        context.lineWidth = i === hovered ? 2 : 4 * Math.sqrt(Math.abs(weight) / strongest);
        disc(context, spot, layout.radius + 1);
        context.stroke();
      }
    });
  }

  cross([x, y], size, colour) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = 2;
    for (const way of [-1, 1]) {
      line(context, [[x - size, y - way * size], [x + size, y + way * size]]);
      context.stroke();
    }
  }

  // Mean activity by the direction of the hand, as a curve round a centre.
  tuning() {
    const { context, layout, shown } = this, { accent, line: edge, ink } = this.colours;
    const { x, y, radius } = layout.tuning, activity = this.app.simulation.y[shown];
    const rates = this.app.history.tuning(shown);
    const most = Math.max(1e-6, ...rates.filter(Number.isFinite).map(Math.abs));
    context.strokeStyle = edge;
    context.lineWidth = 1;
    for (const share of [0.5, 1]) {
      disc(context, [x, y], share * radius);
      context.stroke();
    }
    const points = rates.flatMap((rate, i) => {
      if (!Number.isFinite(rate)) return [];
      const angle = (2 * Math.PI * i) / DIRECTIONS, length = (radius * Math.abs(rate)) / most;
      return [[x + length * Math.cos(angle), y - length * Math.sin(angle)]];
    });
    line(context, points, true);
    context.fillStyle = context.strokeStyle = accent;
    context.globalAlpha = 0.25;
    context.fill();
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.stroke();
    this.label("activity by the", x, y + radius + 18, "center");
    this.label("hand's direction", x, y + radius + 33, "center");
    context.fillStyle = ink;
    context.textAlign = "center";
    context.fillText(`neuron ${shown}: ${activity.toFixed(2)}`, x, y - radius - 9);
    context.textAlign = "left";
  }
}
