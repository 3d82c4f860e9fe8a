// The state of the page: settings, the simulation, its past, and the script that plays at first.

import { CIRCLES, TARGETS, commandAt } from "./courses.js";
import { anglesAt, between, insideWorkspace, isInside } from "./geometry.js";
import { History } from "./history.js";
import { chooseFor, plannedCommand } from "./plans.js";
import { NUMBERS, TASKS, defaults, isOffered, planOf } from "./settings.js";
import { Simulation } from "./simulation.js";

const TARGET_TIME = 1.3, CIRCLE_TIME = 4; // [s] that the script holds each
const START = [-0.04, 0.4]; // [m] where the hand begins
const FASTEST_CIRCLE = 0.6; // [m/s]
const FASTEST_PACE = 2;
export const MOST_FORCE = 15; // [N]

export class App {
  constructor(data, settings, { scripted, paused }) {
    this.data = data;
    this.settings = settings;
    this.scripted = scripted;
    this.paused = paused;
    this.slow = false;
    this.course = 0; // [s] along the course of a moving target, or since a plan began
    this.listeners = [];
    this.simulation = new Simulation(this.controller);
    this.rival = null; // the simulation of the controller to compare with
    this.begin();
  }

  // The task of the controller.
  get kind() {
    return this.plan?.task ?? TASKS[this.settings.task];
  }

  get plan() {
    return planOf(this.settings, this.data);
  }

  get controller() {
    const name = this.settings.chosen[this.kind];
    return this.data.controllers.find((c) => c.name === name);
  }

  get links() {
    return this.controller.links;
  }

  // Called whenever a setting changes, but not for each step.
  changed() {
    this.apply();
    this.listeners.forEach((listener) => listener());
  }

  apply() {
    const { settings, simulation, controller } = this;
    if (simulation.controller !== controller) {
      simulation.use(controller);
      this.history = new History(controller.stateSize, controller.controlPeriod);
    }
    const known = (list, size) => list.filter((i) => i >= 0 && i < size);
    settings.neurons = known(settings.neurons, controller.stateSize);
    settings.muscles = known(settings.muscles, this.data.muscles.length);
    // Python takes no other delays
    const period = controller.controlPeriod;
    settings.delay = +(period * Math.round(settings.delay / period)).toFixed(6);
    simulation.neurons = new Set(settings.neurons);
    this.compare();
    for (const each of this.simulations) {
      each.muscles = new Set(settings.muscles);
      each.noise = settings.noise;
      each.delay = settings.delay;
      each.perturb(settings);
    }
  }

  get simulations() {
    return this.rival ? [this.simulation, this.rival] : [this.simulation];
  }

  // Other controllers of the same task.
  get rivals() {
    return this.data.controllers.filter((c) => c.task === this.kind && c !== this.controller);
  }

  // Start the arm to compare with, where the first one is.
  compare() {
    const wanted = this.rivals.find((c) => c.name === this.settings.compare) ?? null;
    if (!wanted) this.settings.compare = "";
    if (wanted === (this.rival?.controller ?? null)) return;
    this.rival = wanted && new Simulation(wanted);
    this.owed = 0; // [s] by which the rival is late
    this.rival?.x.set(this.simulation.x);
    this.rival?.look();
  }

  begin() {
    this.history = new History(this.controller.stateSize, this.controller.controlPeriod);
    this.apply();
    for (const each of this.simulations) each.reset(...anglesAt(this.links, START));
    this.course = 0;
  }

  // Bring what an address said into the ranges that a user can reach.
  confine() {
    const { settings, links, data } = this;
    const inside = (place) => isInside(links, data.workspace, place)
      ? place : insideWorkspace(links, data.workspace, place);
    settings.target = inside(settings.target);
    for (const task of Object.keys(settings.centres)) {
      settings.centres[task] = inside(settings.centres[task]);
    }
    settings.pace = between(settings.pace, 0, FASTEST_PACE);
    const [x, y, radius, speed] = settings.circle;
    settings.circle = [...CIRCLES[0]];
    this.setCircle([x, y, radius, between(speed, -FASTEST_CIRCLE, FASTEST_CIRCLE)]);
  }

  reset() {
    const { task, plan, chosen } = this.settings;
    Object.assign(this.settings, defaults(this.data), { task, plan, chosen });
    this.begin();
    this.changed();
  }

  setTask(task) {
    if (isOffered(task, this.settings, this.data)) this.choose({ task });
  }

  setPlan(plan) {
    this.choose({ task: "plan", plan });
  }

  choose(wanted) {
    const before = this.controller;
    Object.assign(this.settings, wanted, { pace: NUMBERS.pace });
    if (this.plan) this.scripted = false;
    chooseFor(this.plan, this.settings.chosen);
    if (this.controller !== before) this.settings.neurons = [];
    this.course = 0;
    this.changed();
  }

  setController(name) {
    this.settings.chosen[this.kind] = name;
    this.settings.neurons = [];
    this.changed();
  }

  toggle(list, index) {
    const there = this.settings[list];
    this.settings[list] = there.includes(index)
      ? there.filter((i) => i !== index)
      : [...there, index].sort((a, b) => a - b);
    this.changed();
  }

  // The present command to the network.
  get command() {
    const { target, circle, pace } = this.settings, { period } = this.simulation;
    if (this.plan) return plannedCommand(this.plan, period, Math.round(this.course / period));
    if (this.kind === "reach") return target;
    if (this.kind === "circle") return circle;
    const [x, y, vx, vy] = commandAt(this.curve, this.centre, this.course);
    return [x, y, pace * vx, pace * vy];
  }

  get curve() {
    return this.settings.courses[this.settings.task];
  }

  get centre() {
    return this.settings.centres[this.settings.task];
  }

  // Where the target is [m]; for a circle its centre.
  get target() {
    return this.command.slice(0, 2);
  }

  // Move the target there, or as near as the workspace lets it. A plan stays where it is.
  moveTarget(position) {
    if (this.plan) return;
    const { settings, links, data } = this;
    const inside = insideWorkspace(links, data.workspace, position);
    if (this.kind === "reach") settings.target = inside;
    else if (this.kind === "circle") this.setCircle([...inside, ...settings.circle.slice(2)]);
    else settings.centres[settings.task] = inside;
  }

  // Change the circle if all of it stays in the workspace.
  setCircle([x, y, radius, speed]) {
    const size = Math.min(Math.max(radius, 0.02), 0.14);
    for (let i = 0; i < 24; i++) {
      const angle = (2 * Math.PI * i) / 24;
      const point = [x + size * Math.cos(angle), y + size * Math.sin(angle)];
      if (!isInside(this.links, this.data.workspace, point)) return;
    }
    this.settings.circle = [x, y, size, speed];
  }

  push([fx, fy]) {
    const size = Math.hypot(fx, fy), scale = size > MOST_FORCE ? MOST_FORCE / size : 1;
    for (const each of this.simulations) each.force = [scale * fx, scale * fy];
  }

  // One control period.
  advance() {
    if (this.scripted) this.play();
    const { command, simulation, settings } = this;
    simulation.advance(command);
    this.advanceRival(command);
    this.course += simulation.period * (this.plan ? 1 : settings.pace);
    this.history.add(simulation, this.wantedSpeed(command), this.rival);
  }

  // The rival may have another control period.
  advanceRival(command) {
    const { rival } = this;
    if (!rival) return;
    this.owed += this.simulation.period;
    while (this.owed > rival.period - 1e-9) {
      this.owed -= rival.period;
      rival.advance(command);
    }
  }

  wantedSpeed(command) {
    if (this.kind === "follow") return Math.hypot(command[2], command[3]);
    return this.kind === "circle" ? Math.abs(command[3]) : NaN;
  }

  play() {
    const { time } = this.simulation, { settings } = this, { task } = settings;
    const [list, hold] = { reach: [TARGETS, TARGET_TIME], circle: [CIRCLES, CIRCLE_TIME] }[task] ?? [];
    const present = list?.[Math.floor(time / hold + 1e-9) % list.length];
    if (!list || present === this.played) return;
    this.played = present;
    settings[task === "reach" ? "target" : "circle"] = [...present];
    this.changed();
  }
}
