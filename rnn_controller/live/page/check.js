// How far the page is from Python, and how fast it is.

import { Simulation } from "./simulation.js";

// Uniform noise of Park & Miller's generator, as rnn_controller/live/files.py draws it.
function noiseOf(width) {
  let seed = 1;
  return () => {
    seed = (seed * 16807) % 2147483647;
    return width * (seed / 2147483647 - 0.5);
  };
}

// Repeat a controller's reference movement; the largest difference of any state from Python's.
export function differenceFromPython(controller) {
  const { states, commands, noise } = controller.reference, simulation = new Simulation(controller);
  const draw = noiseOf(noise), periods = states.length - 1;
  simulation.x.set(states[0]);
  simulation.look();
  let largest = 0;
  for (let t = 0; t < periods; t++) {
    const drawn = Float64Array.from({ length: simulation.random.length }, draw);
    simulation.advance(commands[Math.floor((t * commands.length) / periods)], drawn);
    for (let i = 0; i < simulation.x.length; i++) {
      const difference = Math.abs(simulation.x[i] - states[t + 1][i]);
      largest = difference <= largest ? largest : difference; // NaN, too, is a difference
    }
  }
  return largest;
}

// Times real time at which a controller's closed loop runs freely, in the fastest of five parts.
export function paceOf(controller, periods = 200) {
  const simulation = new Simulation(controller), { states, commands } = controller.reference;
  simulation.noise = 0.2;
  simulation.x.set(states[0]);
  simulation.look();
  let shortest = Infinity;
  for (let part = 0; part < 5; part++) {
    const begin = performance.now();
    for (let t = 0; t < periods / 5; t++) simulation.advance(commands[0]);
    shortest = Math.min(shortest, performance.now() - begin);
  }
  return ((periods / 5) * simulation.period) / (shortest / 1000);
}
