// Matrices of weights as images, a pixel an entry; blue is negative, orange positive.

const GAMMA = 0.6; // so that small weights are seen beside large ones

function parts(colour) {
  const value = parseInt(colour.slice(1), 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
}

export function image({ rows, columns, data }, { low, high, backdrop }) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext("2d"), pixels = context.createImageData(columns, rows);
  const largest = data.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-12);
  const zero = parts(backdrop), ends = [parts(low), parts(high)];
  data.forEach((value, i) => {
    const share = (Math.abs(value) / largest) ** GAMMA, end = ends[value > 0 ? 1 : 0];
    for (let k = 0; k < 3; k++) pixels.data[4 * i + k] = zero[k] + share * (end[k] - zero[k]);
    pixels.data[4 * i + 3] = 255;
  });
  context.putImageData(pixels, 0, 0);
  return canvas;
}

// The colour of one weight.
export const signed = (value, { low, high }) => (value > 0 ? high : low);
