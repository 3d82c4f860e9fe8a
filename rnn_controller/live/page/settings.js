// What a user can set, and how the address and Python say it.

import { CIRCLES, EIGHT, FOLLOW, HARMONICS, HEART, TARGETS } from "./courses.js";
import { chooseFor } from "./plans.js";

// The task of the controllers by the choice on the page; that of a plan says the plan.
export const TASKS = { reach: "reach", circle: "circle", follow: "follow", eight: "follow", draw: "follow" };
export const NUMBERS = { noise: 0.2, mass: 1, strength: 1, curl: 0, load: 0, delay: 0, pace: 1 };
const PERTURBATIONS = ["mass", "strength", "curl", "load", "delay"];
const [SHORTEST, LONGEST] = [0.1, 1000]; // [s] of a curve that an address says
const LARGEST = 1; // [m] of its terms
const IDS = { reach: "ReachArm-v0", circle: "CircleArm-v0", follow: "FollowArm-v0" };

// The plan in force, or null.
export const planOf = ({ task, plan }, { plans }) =>
  task === "plan" ? plans.find(({ name }) => name === plan) : null;

export function defaults({ controllers, plans, opensWithPlan }) {
  const first = (task) => controllers.find((c) => c.task === task)?.name;
  const tasks = Object.keys(TASKS).filter((task) => first(TASKS[task]));
  const chosen = { reach: first("reach"), circle: first("circle"), follow: first("follow") };
  if (opensWithPlan) chooseFor(plans[0], chosen);
  return {
    ...NUMBERS,
    task: opensWithPlan ? "plan" : tasks[0],
    plan: plans[0]?.name ?? "",
    chosen,
    target: [...TARGETS[0]],
    circle: [...CIRCLES[0]],
    centres: { follow: [-0.04, 0.42], eight: [-0.04, 0.42], draw: [-0.04, 0.4] },
    courses: { follow: FOLLOW, eight: EIGHT, draw: HEART },
    neurons: [],
    muscles: [],
    compare: "", // the name of a second controller, which moves an arm of its own
  };
}

const numbers = (text) => text.split(",").map((part) => (part.trim() ? Number(part) : NaN));
const short = (values) => values.map((value) => +value.toFixed(4)).join(",");
const finite = (values, size) => values.length === size && values.every(Number.isFinite);

// Whether the page has what a choice of the task needs.
export const isOffered = (task, { chosen }, { plans }) =>
  task === "plan" ? plans.length > 0 : Boolean(chosen[TASKS[task]]);

// The address's part after #: whatever differs from the defaults.
export function toAddress(settings, data) {
  const usual = defaults(data), plan = planOf(settings, data), kind = plan?.task ?? TASKS[settings.task];
  const said = new URLSearchParams({ task: settings.task, controller: settings.chosen[kind] });
  for (const name of Object.keys(NUMBERS)) {
    if (settings[name] !== usual[name]) said.set(name, +settings[name].toFixed(4));
  }
  if (plan) said.set("plan", plan.name);
  else if (kind === "reach") said.set("target", short(settings.target));
  else if (kind === "circle") said.set("circle", short(settings.circle));
  else said.set("centre", short(settings.centres[settings.task]));
  if (settings.task === "draw" && settings.courses.draw !== HEART) {
    const { duration, terms } = settings.courses.draw;
    said.set("curve", short([duration, ...terms.flat()]));
  }
  if (settings.neurons.length) said.set("neurons", settings.neurons.join(","));
  if (settings.muscles.length) said.set("muscles", settings.muscles.join(","));
  if (settings.compare) said.set("compare", settings.compare);
  return `#${said.toString().replaceAll("%2C", ",")}`;
}

// The settings that an address says; what is not understood is left out.
export function fromAddress(hash, data) {
  const said = new URLSearchParams(hash.slice(1)), settings = defaults(data);
  const task = said.get("task");
  if (isOffered(task, settings, data)) settings.task = task;
  if (data.plans.some(({ name }) => name === said.get("plan"))) settings.plan = said.get("plan");
  const wanted = data.controllers.find((c) => c.name === said.get("controller"));
  if (wanted) settings.chosen[wanted.task] = wanted.name;
  else chooseFor(planOf(settings, data), settings.chosen);
  for (const name of Object.keys(NUMBERS)) {
    const value = Number(said.get(name) ?? NaN);
    if (Number.isFinite(value)) settings[name] = value;
  }
  const target = numbers(said.get("target") ?? ""), circle = numbers(said.get("circle") ?? "");
  if (finite(target, 2)) settings.target = target;
  if (finite(circle, 4)) settings.circle = circle;
  const centre = numbers(said.get("centre") ?? "");
  if (finite(centre, 2) && settings.centres[task]) settings.centres[task] = centre;
  const [duration, ...terms] = numbers(said.get("curve") ?? "");
  const size = 4 * Math.min(Math.floor(terms.length / 4), HARMONICS);
  const bounded = terms.every((term) => Math.abs(term) < LARGEST);
  if (duration > SHORTEST && duration < LONGEST && size && finite(terms, size) && bounded) {
    const rows = Array.from({ length: terms.length / 4 }, (_, i) => terms.slice(4 * i, 4 * i + 4));
    settings.courses.draw = { duration, terms: rows };
  }
  settings.compare = said.get("compare") ?? "";
  for (const name of ["neurons", "muscles"]) {
    const listed = numbers(said.get(name) ?? "").filter(Number.isInteger);
    settings[name] = [...new Set(listed)];
  }
  return settings;
}

// Lines of Python that run the same setting from the present posture.
export function toPython(settings, controller, posture, plan) {
  const kind = controller.task, name = controller.name;
  const changes = PERTURBATIONS.filter((key) => settings[key] !== NUMBERS[key]);
  const perturbation = changes.map((key) => `${key}=${+settings[key].toFixed(4)}`).join(", ");
  const given = [`"${IDS[kind]}"`, `noise=${settings.noise}`];
  if (perturbation) given.push(`perturbation=arm_env.Perturbation(${perturbation})`);
  if (!controller.usualArm) given.push("arm=load_checkpoint(name).arm");
  if (controller.controlPeriod !== 0.01) given.push(`control_period=${controller.controlPeriod}`);
  const [before, schedule] = plan ? scheduleOfPlan(plan) : scheduleOf(settings, kind);
  const loads = [...(plan ? ["Plan"] : []), "load", ...(controller.usualArm ? [] : ["load_checkpoint"])];
  const result = plan
    ? "{1000 * plan.distances(info['hand']):.1f} mm from the curve"
    : "{100 * info['distance']:.1f} cm from the target";
  return [
    ...(schedule === "target" ? ["import math", ""] : []),
    "import gymnasium as gym",
    "import arm_env",
    `from rnn_controller import ${loads.join(", ")}`,
    "",
    ...before,
    `name = ${JSON.stringify(name)}  # of a shipped controller, or a checkpoint's path`,
    `env = gym.make(${given.join(", ")}, schedule=${schedule})`,
    "controller = load(name)",
    `posture = [${posture.map((angle) => angle.toFixed(4)).join(", ")}]  # rad`,
    'observation, info = env.reset(seed=0, options={"posture": posture})',
    "state, truncated = None, False",
    "while not truncated:",
    "    action, state = controller.predict(observation, state)",
    ...(settings.neurons.length ? [`    state[:, [${settings.neurons.join(", ")}]] = 0  # silenced`] : []),
    ...(settings.muscles.length ? [`    action[[${settings.muscles.join(", ")}]] = 0  # silenced`] : []),
    "    observation, reward, terminated, truncated, info = env.step(action)",
    `print(f"${result}")`,
    "",
  ].join("\n");
}

const scheduleOfPlan = ({ source }) => [
  [`plan = Plan.load(${JSON.stringify(source)})  # a shipped plan, or the path of its file`],
  "plan",
];

function scheduleOf(settings, kind) {
  if (kind === "reach") return [[], `[[${short(settings.target)}]]`.replaceAll(",", ", ")];
  if (kind === "circle") return [[], `[[${short(settings.circle)}]]`.replaceAll(",", ", ")];
  const { duration, terms } = settings.courses[settings.task];
  const [x, y] = settings.centres[settings.task].map((value) => +value.toFixed(4));
  const round = settings.pace ? +(duration / settings.pace).toFixed(4) : "math.inf";
  const rows = terms.map((term) => `    (${term.join(", ")}),`);
  return [
    [
      `duration = ${round}  # s of one round`,
      "terms = [  # cosine and sine of x, cosine and sine of y, in m",
      ...rows,
      "]",
      "",
      "",
      "def target(time):",
      `    command = [${x}, ${y}, 0.0, 0.0]`,
      "    for n, (a, b, c, d) in enumerate(terms, 1):",
      "        w = 2 * math.pi * n / duration",
      "        cosine, sine = math.cos(w * time), math.sin(w * time)",
      "        command[0] += a * cosine + b * sine",
      "        command[1] += c * cosine + d * sine",
      "        command[2] += w * (b * cosine - a * sine)",
      "        command[3] += w * (d * cosine - c * sine)",
      "    return command",
      "",
      "",
    ],
    "target",
  ];
}
