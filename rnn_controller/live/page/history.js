// What the traces, the trail and the tuning curves show of the past.

export const LENGTH = 4; // [s]
export const DIRECTIONS = 12; // of the hand's movement, for tuning
const SLOWEST = 0.05; // [m/s] below it a hand has no direction
const ENOUGH = 10; // periods in which the hand moved, before a neuron is chosen

export class History {
  constructor(neurons, period) {
    this.most = Math.round(LENGTH / period);
    this.rows = []; // the oldest first
    this.counts = new Float64Array(DIRECTIONS);
    this.sums = Array.from({ length: neurons }, () => new Float64Array(DIRECTIONS));
  }

  add(simulation, wanted, rival) {
    const [x, y, vx, vy] = simulation.place, speed = Math.hypot(vx, vy);
    const senses = simulation.senses.slice(), u = simulation.u.slice();
    const other = rival ? Math.hypot(rival.place[2], rival.place[3]) : NaN;
    this.rows.push({ x, y, speed, wanted, other, senses, u });
    if (this.rows.length > this.most) this.rows.shift();
    this.learn(simulation.y, vx, vy, speed);
  }

  learn(activity, vx, vy, speed) {
    if (speed < SLOWEST) return;
    const turn = Math.atan2(vy, vx) / (2 * Math.PI);
    const bin = (Math.round(turn * DIRECTIONS) + DIRECTIONS) % DIRECTIONS;
    this.counts[bin] += 1;
    this.sums.forEach((sum, neuron) => (sum[bin] += activity[neuron]));
  }

  // The neuron that was most active while the hand moved; null at first.
  mostActive() {
    const total = (list) => list.reduce((sum, value) => sum + value, 0);
    if (!this.sums.length || total(this.counts) < ENOUGH) return null;
    const totals = this.sums.map(total);
    return totals.indexOf(Math.max(...totals));
  }

  // Mean activity of a neuron by the direction of the hand; NaN for one not seen yet.
  tuning(neuron) {
    return Array.from(this.sums[neuron], (sum, bin) => sum / (this.counts[bin] || NaN));
  }
}
