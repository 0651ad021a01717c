"use strict";
/* The model in the page: ink becomes 28x28 pixels, and these become probabilities.
   `preprocess` does what utils/digit_image/fitting.py does, step by step. */
window.pad = (() => {
  const SIDE = 28, BOX = 20, FAINT = 1 / 16, ROUNDING = 1e-6;

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

  /* Softmax of the scores of 28x28 pixels between 0 and 255/256. */
  function probabilities(pixels) {
    const score = scores(pixels);
    const largest = Math.max(...score);
    const raised = score.map((s) => Math.exp(s - largest));
    const sum = raised.reduce((a, v) => a + v, 0);
    return raised.map((v) => v / sum);
  }

  // --- from ink to 28x28 -----------------------------------------------------------

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

  function offset(profile) {
    let mass = 0, moment = 0;
    profile.forEach((m, i) => { mass += m; moment += m * (i + 0.5); });
    const start = SIDE / 2 - Math.floor(moment / mass + ROUNDING);
    return Math.min(Math.max(start, 0), SIDE - profile.length);
  }

  /* Ink, row by row, 0 for paper, to 28x28 pixels; null where there is none. */
  function preprocess(ink, width, height) {
    let darkest = 0;
    for (const value of ink) if (value > darkest) darkest = value;
    if (!darkest) return null;
    let top = height, bottom = -1, left = width, right = -1;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (ink[y * width + x] > FAINT * darkest) {
          top = Math.min(top, y); bottom = y;
          left = Math.min(left, x); right = Math.max(right, x);
        }
      }
    }
    const nRows = bottom - top + 1, nColumns = right - left + 1;
    const scale = BOX / Math.max(nRows, nColumns);
    const boxHeight = Math.max(1, Math.floor(nRows * scale + 0.5));
    const boxWidth = Math.max(1, Math.floor(nColumns * scale + 0.5));

    const inRow = coverage(nColumns, boxWidth);
    const narrow = new Float64Array(nRows * boxWidth);
    for (let y = 0; y < nRows; y++) {
      const start = (top + y) * width + left;
      for (let x = 0; x < boxWidth; x++) {
        for (const [j, share] of inRow[x]) narrow[y * boxWidth + x] += ink[start + j] * share;
      }
    }
    const box = new Float64Array(boxHeight * boxWidth);
    let largest = 0;
    coverage(nRows, boxHeight).forEach((shares, y) => {
      for (let x = 0; x < boxWidth; x++) {
        for (const [j, share] of shares) box[y * boxWidth + x] += narrow[j * boxWidth + x] * share;
        largest = Math.max(largest, box[y * boxWidth + x]);
      }
    });

    const rowSums = new Array(boxHeight).fill(0), columnSums = new Array(boxWidth).fill(0);
    box.forEach((value, i) => {
      rowSums[Math.floor(i / boxWidth)] += value;
      columnSums[i % boxWidth] += value;
    });
    const firstRow = offset(rowSums), firstColumn = offset(columnSums);
    const image = new Float64Array(SIDE * SIDE);
    box.forEach((value, i) => {
      const y = firstRow + Math.floor(i / boxWidth), x = firstColumn + (i % boxWidth);
      image[y * SIDE + x] = value * (255 / 256 / largest);
    });
    return image;
  }

  return { model, W, b, bytes, scores, probabilities, preprocess };
})();
