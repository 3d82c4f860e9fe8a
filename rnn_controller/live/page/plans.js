// Plans: commands that repeat lap after lap, as rnn_controller/planning/plans.py holds them.

const ROUNDING = 1e-6; // of a hold, by which a time may seem to be too early

// The command of a plan after a number of control periods [s], as in the environments: it is asked
// for once in the whole number of periods that is nearest to its hold.
export function plannedCommand({ hold, values }, period, periods) {
  const asked = Math.max(1, nearest(hold / period));
  const time = (periods - (periods % asked)) * period;
  return values[Math.floor(time / hold + ROUNDING) % values.length];
}

// The nearest whole number; of two, the even one, as in Python.
function nearest(value) {
  const low = Math.floor(value), rest = value - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}

// Of the controllers for a plan, choose one that it was made for, if there is one.
export function chooseFor(plan, chosen) {
  if (plan?.madeFor.length && !plan.madeFor.includes(chosen[plan.task])) {
    chosen[plan.task] = plan.madeFor[0];
  }
}
