// Speed, senses and excitations of the last seconds, as moving traces.

import { MUSCLE_COLOURS, colours, fit } from "./canvas.js";
import { LENGTH } from "./history.js";

const GUTTER = 126, AXIS = 18, GAP = 8; // [pixels]
const LADDER = [0.05, 0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 50]; // ends of scales
const sense = (group) => (row, muscle) => row.senses[6 * group + muscle];

// A strip has a name, a unit, a height, a scale's least end, and its lines.
const STRIPS = [
  { name: "hand speed", unit: "m/s", share: 1.4, least: 0.5 },
  { name: "muscle length", unit: "rest lengths", share: 1, value: sense(0), range: [0.4, 1.4] },
  { name: "muscle velocity", unit: "lengths/s", share: 1, value: sense(1), both: true, least: 1 },
  { name: "muscle tension", unit: "of largest", share: 1, value: sense(2), least: 0.1 },
  { name: "excitation", unit: "of largest", share: 1, value: (row, muscle) => row.u[muscle], least: 0.2 },
];

export class TraceView {
  constructor(canvas, app) {
    this.canvas = canvas;
    this.app = app;
  }

  draw() {
    const { context, width, height } = fit(this.canvas);
    this.context = context;
    this.colours = colours();
    const { rows, most } = this.app.history;
    const total = STRIPS.reduce((sum, strip) => sum + strip.share, 0);
    const unit = (height - AXIS - GAP * (STRIPS.length - 1)) / total;
    this.x = (i) => GUTTER + ((width - GUTTER - 2) * (i + most - rows.length)) / (most - 1);
    let top = 0;
    for (const strip of STRIPS) {
      this.strip(strip, rows, top, unit * strip.share, width);
      top += unit * strip.share + GAP;
    }
    this.axis(width, height);
  }

  strip(strip, rows, top, height, width) {
    const { context } = this, { ink, muted, line } = this.colours;
    const lines = this.linesOf(strip, rows), [low, high] = this.rangeOf(strip, lines);
    const y = (value) => top + height - (height * (value - low)) / (high - low);
    context.fillStyle = ink;
    context.textBaseline = "top";
    context.fillText(strip.name, 0, top);
    context.fillStyle = muted;
    context.fillText(strip.unit, 0, top + 14);
    context.textBaseline = "alphabetic";
    context.strokeStyle = line;
    context.lineWidth = 1;
    for (const value of strip.both ? [low, 0, high] : [low, high]) {
      context.beginPath();
      context.moveTo(GUTTER, y(value));
      context.lineTo(width - 2, y(value));
      context.stroke();
    }
    context.textAlign = "right";
    context.font = "10px system-ui, sans-serif";
    context.fillText(high, GUTTER - 4, top + 8);
    context.fillText(low, GUTTER - 4, top + height);
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "left";
    context.save();
    context.beginPath();
    context.rect(GUTTER, top - 1, width - GUTTER, height + 2);
    context.clip();
    lines.forEach(({ colour, values, weight }) => this.line(values, y, colour, weight));
    context.restore();
  }

  linesOf(strip, rows) {
    const { ink, goal, high } = this.colours;
    if (!strip.value) {
      return [
        { colour: goal, values: rows.map((row) => row.wanted), weight: 1.5 },
        { colour: high, values: rows.map((row) => row.other), weight: 1.5 },
        { colour: ink, values: rows.map((row) => row.speed), weight: 2 },
      ];
    }
    return MUSCLE_COLOURS.map((colour, muscle) => ({
      colour, weight: 1.5, values: rows.map((row) => strip.value(row, muscle)),
    }));
  }

  rangeOf({ range, both, least }, lines) {
    if (range) return range;
    let most = least;
    for (const { values } of lines) {
      for (const value of values) if (Math.abs(value) > most) most = Math.abs(value);
    }
    const end = LADDER.find((candidate) => candidate >= most) ?? most;
    return [both ? -end : 0, end];
  }

  line(values, y, colour, weight) {
    const { context } = this;
    context.beginPath();
    let drawing = false;
    values.forEach((value, i) => {
      if (!Number.isFinite(value)) {
        drawing = false;
        return;
      }
      if (drawing) context.lineTo(this.x(i), y(value));
      else context.moveTo(this.x(i), y(value));
      drawing = true;
    });
    context.strokeStyle = colour;
    context.lineWidth = weight;
    context.stroke();
  }

  axis(width, height) {
    const { context } = this;
    context.fillStyle = this.colours.muted;
    context.textAlign = "center";
    for (let back = 1; back < LENGTH; back++) {
      const x = width - 2 - ((width - GUTTER - 2) * back) / LENGTH;
      context.fillText(`−${back} s`, x, height - 3);
    }
    context.textAlign = "right";
    context.fillText("now", width - 2, height - 3);
    context.textAlign = "left";
  }
}
