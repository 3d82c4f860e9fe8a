// Where the parts of the network stand in their panel.

const LEFT = 0.3; // share of a wide panel for neurons and tuning
const HIGH = 0.85; // times as high as wide: then neurons and tuning stand above the weights
const LARGEST = 20; // [pixels] of a weight
const HEAD = 22, GAP = 7, SPACE = 20, TUNING_TEXT = 48; // [pixels]
const FIVE = ["sensory", "command", "recurrent", "reflex", "motor"];
const SENDERS = { sensory: "senses", command: "command", recurrent: "neurons" };

export function place(controller, width, height) {
  const narrow = height > HIGH * width, size = controller.stateSize;
  const side = narrow
    ? Math.min(0.46 * width, 0.36 * height)
    : Math.min(LEFT * width, (height - 2 * HEAD - TUNING_TEXT) / 1.75);
  const grid = neurons(size, side, HEAD);
  const radius = narrow ? 0.34 * side : Math.min(0.36 * side, (height - side - 120) / 2);
  const tuning = narrow
    ? { x: 0.76 * width, y: HEAD + 0.46 * side, radius }
    : { x: side / 2, y: Math.min(height - 38, HEAD + side + 34 + 2 * radius) - radius, radius };
  const area = narrow
    ? { x: 0, y: side + 2 * HEAD, width, height: height - side - 2 * HEAD }
    : { x: side + SPACE, y: 0, width: width - side - SPACE, height };
  const known = FIVE.every((name) => controller.blocks.includes(name));
  const named = known ? five(controller, area) : any(controller, area);
  named.labels.push({ text: `activity of ${size} neurons`, x: 0, y: 12 });
  return { ...grid, tuning, ...named, ...finders(grid, named, size) };
}

function neurons(size, side, top) {
  const across = Math.ceil(Math.sqrt(size)) || 1, pitch = side / across;
  const spots = Array.from({ length: size }, (_, i) => [
    pitch * ((i % across) + 0.5),
    top + pitch * (Math.floor(i / across) + 0.5),
  ]);
  return { neurons: spots, radius: 0.42 * pitch };
}

// The blocks of the paper's network: a row for each receiver, a column for each sender.
function five({ blocks, weights }, area) {
  const matrix = (name) => weights[blocks.indexOf(name)];
  const senders = ["sensory", "command", "recurrent"];
  const columns = senders.reduce((sum, name) => sum + matrix(name).columns, 0);
  const rows = matrix("recurrent").rows + matrix("motor").rows;
  const room = { width: area.width - 2 * GAP - 18, height: area.height - HEAD - GAP - 4 };
  const cell = Math.min(room.width / columns, room.height / rows, LARGEST);
  const made = [], labels = [], y = area.y + HEAD;
  const below = y + cell * matrix("recurrent").rows + GAP;
  const used = columns * cell + 2 * GAP;
  const left = area.x + Math.max(18, (area.width - used) / 2);
  const half = (name) => 0.5 * cell * matrix(name).rows, bottom = area.y + area.height;
  const sides = { neurons: y + half("recurrent"), muscles: Math.min(below + half("motor"), bottom - 24) };
  for (const [text, at] of Object.entries(sides)) labels.push({ text, x: left - 7, y: at, upright: true });
  let x = left;
  for (const name of senders) {
    const { columns: across } = matrix(name);
    made.push({ name, x, y });
    if (name === "sensory") made.push({ name: "reflex", x, y: below });
    if (name === "recurrent") made.push({ name: "motor", x, y: below });
    const middle = name === "recurrent" ? 0.5 * across * cell - 24 : 0;
    labels.push({ text: SENDERS[name], x: x + middle, y: area.y + 12 });
    x += across * cell + GAP;
  }
  const widened = made.map((block) => {
    const { rows: high, columns: wide } = matrix(block.name);
    const index = blocks.indexOf(block.name);
    return { ...block, index, width: wide * cell, height: high * cell };
  });
  return { blocks: widened, labels, cell };
}

// The weights of any other network, side by side; their cells stand for no neuron.
function any({ blocks, weights }, area) {
  const shown = weights.map((matrix, index) => ({ ...matrix, index, name: blocks[index] }))
    .filter(({ rows, columns }) => rows > 1 && columns > 1);
  const each = area.width / Math.max(shown.length, 1);
  const made = shown.map(({ rows, columns, index, name }, i) => {
    const cell = Math.min((each - SPACE) / columns, (area.height - HEAD) / rows);
    const box = { width: columns * cell, height: rows * cell };
    return { name, index, x: area.x + i * each, y: area.y + HEAD, ...box };
  });
  const labels = made.map(({ name, x, y }) => ({ text: name, x, y: y - 8 }));
  return { blocks: made, labels, cell: 0 };
}

function finders({ neurons: spots, radius }, { blocks, cell }, size) {
  const within = (block, x, y) =>
    x >= block.x && x < block.x + block.width && y >= block.y && y < block.y + block.height;
  return {
    neuronAt(x, y) {
      const disc = spots.findIndex(([sx, sy]) => Math.hypot(x - sx, y - sy) < 1.15 * radius);
      if (disc >= 0) return disc;
      const block = cell ? blocks.find((candidate) => within(candidate, x, y)) : null;
      if (!block) return null;
      const [row, column] = [(y - block.y) / cell, (x - block.x) / cell].map(Math.floor);
      if (block.name === "motor") return column;
      return block.name === "reflex" ? null : Math.min(row, size - 1);
    },
    blockAt: (x, y) => blocks.find((block) => within(block, x, y))?.name ?? null,
  };
}
