// The closed loop of arm and network, one control period after the other.
// The equations are those of model.js, which Python printed.

import { step, sense, excite, hand, push, perturb, networks } from "./model.js";

const MUSCLES = 6, SENSES = 18, STATES = 10;

export class Simulation {
  constructor(controller) {
    this.x = new Float64Array(STATES); // angles [rad], angular velocities [rad/s], activations
    this.muscles = new Set(); // those that are silenced
    this.noise = 0;
    this.delay = 0; // [s]
    this.force = [0, 0]; // [N] on the hand
    this.time = 0; // [s]
    this.u = new Float64Array(MUSCLES); // excitations
    this.senses = new Float64Array(SENSES); // as they are, without noise and delay
    this.place = new Float64Array(4); // the hand's position [m] and velocity [m/s]
    this.use(controller);
  }

  // Another controller takes over; the arm stays where it is.
  use(controller) {
    this.controller = controller;
    this.neurons = new Set(); // those that are silenced
    this.network = networks[controller.kind];
    this.period = controller.controlPeriod;
    this.substeps = controller.substeps;
    this.y = new Float64Array(controller.stateSize);
    this.signal = new Float64Array(SENSES + controller.commandNames.length);
    this.random = new Float64Array(this.signal.length + MUSCLES);
    this.p = Float64Array.from(controller.parameters);
    this.past = []; // sensory signals, the oldest first
    this.look();
  }

  // mass and strength are factors, curl [N s/m] is a force field, load [kg] is in the hand.
  perturb({ mass, strength, curl, load }) {
    this.p = Float64Array.from(this.controller.parameters);
    const changed = mass !== 1 || strength !== 1 || curl !== 0 || load !== 0;
    if (changed) perturb(this.controller.parameters, mass, strength, curl, load, this.p);
  }

  // The arm rests in a posture, and the network is at rest.
  reset(shoulder, elbow) {
    this.x.fill(0);
    this.x[0] = shoulder;
    this.x[1] = elbow;
    this.y.fill(0);
    this.u.fill(0);
    this.past = [];
    this.time = 0;
    this.look();
  }

  look() {
    hand(this.p, this.x, this.place);
    sense(this.p, this.x, this.senses);
  }

  // One control period under a command; the noise is drawn here unless it is given.
  advance(command, noise = this.draw()) {
    const { x, signal } = this;
    signal.set(this.delayed());
    signal.set(command, SENSES);
    for (let i = 0; i < signal.length; i++) signal[i] *= 1 + noise[i];
    const [u, y] = this.network(this.controller.weights, this.controller.constants, signal, this.y);
    for (const neuron of this.neurons) y[neuron] = 0;
    for (const muscle of this.muscles) u[muscle] = 0;
    excite(this.p, u, noise.subarray(signal.length), this.u);
    const h = this.period / this.substeps, pushed = new Float64Array(2);
    for (let k = 0; k < this.substeps; k++) {
      if (this.force[0] || this.force[1]) {
        push(this.p, h, x, this.force, pushed);
        x.set(pushed, 2);
      }
      step(this.p, h, x, this.u, x);
    }
    this.y = y;
    this.time += this.period;
    this.look();
    if (!x.every(Number.isFinite)) this.reset(0.8, 1.5);
  }

  // The sensory signal of `delay` ago, or the oldest since the start.
  delayed() {
    this.past.push(Float64Array.from(this.senses));
    const age = Math.round(this.delay / this.period);
    this.past = this.past.slice(-age - 1);
    return this.past[0];
  }

  // Normal numbers (Box & Muller 1958), scaled to the control period as in the environments.
  draw() {
    const deviation = this.noise * this.controller.deviation, z = this.random;
    for (let i = 0; i < z.length; i += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(1 - Math.random()));
      const angle = 2 * Math.PI * Math.random();
      z[i] = radius * Math.cos(angle);
      if (i + 1 < z.length) z[i + 1] = radius * Math.sin(angle);
    }
    return z;
  }
}
