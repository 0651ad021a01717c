"use strict";
/* The model in the page: ink becomes few pixels, and these become probabilities.
   `preprocess` does what utils/digit_image/fitting.py does, step by step. */
window.pad = (() => {
  const FAINT = 1 / 16, ROUNDING = 1e-6, SLENDER = 0.4;

  // --- the model -----------------------------------------------------------------

  const model = JSON.parse(document.getElementById("model").textContent);

  function bytes(base64) {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  }

  function numbers(base64) {
    const view = new DataView(bytes(base64).buffer);
    const size = model.dtype === "float64" ? 8 : 4;
    return Float64Array.from({ length: view.byteLength / size }, (_, i) =>
      size === 8 ? view.getFloat64(8 * i, true) : view.getFloat32(4 * i, true));
  }

  const frame = model.frame; // see Frame in fitting.py
  const W = numbers(model.W); // row by row, (n_in, n_out)
  const b = numbers(model.b);
  const classes = Array.from(b, (_, c) => c);

  function scores(pixels) {
    return classes.map((c) => {
      let sum = b[c];
      for (let i = 0; i < model.n_in; i++) sum += pixels[i] * W[i * model.n_out + c];
      return sum;
    });
  }

  /* Softmax of the scores of pixels between 0 and 255/256. */
  function probabilities(pixels) {
    const score = scores(pixels);
    const largest = Math.max(...score);
    const raised = score.map((s) => Math.exp(s - largest));
    const sum = raised.reduce((a, v) => a + v, 0);
    return raised.map((v) => v / sum);
  }

  // --- from ink to pixels -----------------------------------------------------------

  /* The share that each old pixel has in each new one: [[old index, share], ...]. */
  function coverage(nOld, nNew) {
    const ratio = nOld / nNew;
    return Array.from({ length: nNew }, (_, i) => {
      const from = i * ratio, to = (i + 1) * ratio, shares = [];
      for (let j = Math.floor(from); j < Math.min(Math.ceil(to), nOld); j++) {
        const overlap = Math.min(to, j + 1) - Math.max(from, j);
        if (overlap > 0) shares.push([j, overlap / ratio]);
      }
      return shares;
    });
  }

  function offset(profile, side) {
    if (!frame.by_mass) return Math.floor((side - profile.length) / 2);
    let mass = 0, moment = 0;
    profile.forEach((m, i) => { mass += m; moment += m * (i + 0.5); });
    const start = side / 2 - Math.floor(moment / mass + ROUNDING);
    return Math.min(Math.max(start, 0), side - profile.length);
  }

  /* The part of a picture within which there is more than faint ink. */
  function inked({ ink, width, height }) {
    let darkest = 0;
    for (const value of ink) if (value > darkest) darkest = value;
    let top = height, bottom = -1, left = width, right = -1;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (ink[y * width + x] > FAINT * darkest) {
          top = Math.min(top, y); bottom = y;
          left = Math.min(left, x); right = Math.max(right, x);
        }
      }
    }
    const part = { width: right - left + 1, height: bottom - top + 1 };
    part.ink = new Float64Array(part.width * part.height);
    part.ink.forEach((_, i) => {
      const y = top + Math.floor(i / part.width), x = left + (i % part.width);
      part.ink[i] = ink[y * width + x];
    });
    return part;
  }

  /* Shifts the rows until height and place of the ink are no longer correlated. */
  function upright({ ink, width, height }) {
    let mass = 0, sumY = 0, sumX = 0, both = 0, spread = 0;
    const each = (action) => ink.forEach((v, i) => action(v, Math.floor(i / width), i % width));
    each((v, y, x) => { mass += v; sumY += v * y; sumX += v * x; });
    each((v, y, x) => {
      both += v * (y - sumY / mass) * (x - sumX / mass);
      spread += v * (y - sumY / mass) ** 2;
    });
    const slant = height > 1 ? both / spread : 0;
    const shifts = Array.from({ length: height }, (_, y) =>
      -Math.floor(slant * (y - sumY / mass) + 0.5 + ROUNDING));
    const least = Math.min(...shifts), most = Math.max(...shifts);
    const shifted = new Float64Array((width + most - least) * height);
    each((v, y, x) => { shifted[y * (width + most - least) + x + shifts[y] - least] = v; });
    return { ink: shifted, width: width + most - least, height };
  }

  /* Means of the areas covered, in a picture of another size. */
  function areaAverage({ ink, width, height }, newHeight, newWidth) {
    const inRow = coverage(width, newWidth);
    const narrow = new Float64Array(height * newWidth);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < newWidth; x++) {
        for (const [j, share] of inRow[x]) narrow[y * newWidth + x] += ink[y * width + j] * share;
      }
    }
    const result = new Float64Array(newHeight * newWidth);
    coverage(height, newHeight).forEach((shares, y) => {
      for (let x = 0; x < newWidth; x++) {
        for (const [j, share] of shares) {
          result[y * newWidth + x] += narrow[j * newWidth + x] * share;
        }
      }
    });
    return result;
  }

  /* Ink, row by row, 0 for paper, to the model's pixels; null where there is none. */
  function preprocess(ink, width, height) {
    if (!ink.some((value) => value)) return null;
    let part = inked({ ink, width, height });
    if (frame.upright) part = inked(upright(part));
    let tall = frame.height / part.height, wide = frame.width / part.width;
    if (!frame.upright) tall = wide = Math.min(tall, wide);
    else if (part.width < SLENDER * part.height) wide = tall;
    const boxHeight = Math.max(1, Math.floor(part.height * tall + 0.5));
    const boxWidth = Math.max(1, Math.floor(part.width * wide + 0.5));
    const box = areaAverage(part, boxHeight, boxWidth);

    const rowSums = new Array(boxHeight).fill(0), columnSums = new Array(boxWidth).fill(0);
    box.forEach((value, i) => {
      rowSums[Math.floor(i / boxWidth)] += value;
      columnSums[i % boxWidth] += value;
    });
    const side = frame.side * frame.parts;
    const firstRow = offset(rowSums, side), firstColumn = offset(columnSums, side);
    const image = new Float64Array(side * side);
    box.forEach((value, i) => {
      const y = firstRow + Math.floor(i / boxWidth), x = firstColumn + (i % boxWidth);
      image[y * side + x] = value;
    });
    const sheet = { ink: image, width: side, height: side };
    const pixels = areaAverage(sheet, frame.side, frame.side);
    const largest = pixels.reduce((a, v) => Math.max(a, v), 0);
    return pixels.map((value) => value * (255 / 256 / largest));
  }

  return { model, W, b, bytes, scores, probabilities, preprocess };
})();
