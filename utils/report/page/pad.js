"use strict";
/* The pad: draws strokes, shows how probable each class is, and what spoke for it. */
(() => {
  const { model, W, b, bytes, scores, probabilities, preprocess } = window.pad;
  const SIDE = model.frame.side, STROKE = 46, STEP = 28;
  const classes = Array.from(b, (_, c) => c), names = model.names;

  const canvas = document.getElementById("pad");
  const sheet = canvas.getContext("2d", { willReadFrequently: true });
  const evidence = document.getElementById("evidence");
  evidence.width = evidence.height = SIDE;
  const reading = document.getElementById("reading");
  const why = document.getElementById("why");
  const penMark = document.getElementById("pen");
  const invitations = { reading: reading.textContent, why: why.textContent };
  let pixels = null; // what the model sees
  let chosen = null, pointed = null; // the class to explain, else the most probable
  let pen = { x: 280, y: 140, down: false };
  let pending = false;

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function rgb(name) {
    const hex = colour(name);
    return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  }

  function stroke(from, to) {
    sheet.strokeStyle = colour("--ink");
    sheet.lineWidth = STROKE;
    sheet.lineCap = sheet.lineJoin = "round";
    sheet.beginPath();
    sheet.moveTo(from.x, from.y);
    sheet.lineTo(to.x, to.y + (from.x === to.x && from.y === to.y ? 0.01 : 0));
    sheet.stroke();
    lookSoon();
  }

  /* At most once a frame, however many points the pointer sends. */
  function lookSoon() {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => { if (pending) look(); });
  }

  function look() {
    pending = false;
    const { width, height } = canvas;
    const rgba = sheet.getImageData(0, 0, width, height).data;
    const ink = new Uint8Array(width * height);
    for (let i = 0; i < ink.length; i++) ink[i] = rgba[4 * i + 3]; // opacity is ink
    show(preprocess(ink, width, height));
  }

  function clear() {
    sheet.clearRect(0, 0, canvas.width, canvas.height);
    chosen = null;
    for (const row of rows) row.input.checked = false;
    pending = false;
    show(null);
    say();
  }

  function load(sample) {
    clear();
    const small = document.createElement("canvas");
    small.width = small.height = SIDE;
    paint(small.getContext("2d"), (i) => [...rgb("--ink"), sample[i]]);
    sheet.imageSmoothingEnabled = false;
    sheet.drawImage(small, 0, 0, canvas.width, canvas.height);
    show(Float64Array.from(sample, (byte) => byte / 256)); // as it is, not fitted again
    say();
  }

  function paint(context, rgba) {
    const image = context.createImageData(SIDE, SIDE);
    for (let i = 0; i < SIDE * SIDE; i++) image.data.set(rgba(i), 4 * i);
    context.putImageData(image, 0, 0);
  }

  // --- the prediction, and why ----------------------------------------------------------

  const list = document.getElementById("classes");
  const longest = Math.max(...names.map((name) => name.length));
  list.style.setProperty("--name", `${0.65 * longest}em`);
  list.style.setProperty("--rows", Math.ceil(model.n_out / (longest > 3 ? 1 : 2)));
  const rows = classes.map((c) => {
    const label = document.createElement("label"), input = document.createElement("input");
    const name = document.createElement("b"), track = document.createElement("span");
    const bar = document.createElement("i"), share = document.createElement("span");
    input.type = "radio";
    input.name = "class";
    name.textContent = names[c];
    track.className = "track";
    track.append(bar);
    share.className = "share";
    share.textContent = "–";
    label.append(input, name, track, share);
    list.append(label);
    input.addEventListener("change", () => { chosen = c; explain(); });
    input.addEventListener("focus", () => { pointed = c; explain(); });
    input.addEventListener("blur", () => { pointed = null; explain(); });
    label.addEventListener("pointerenter", () => { pointed = c; explain(); });
    label.addEventListener("pointerleave", () => { pointed = null; explain(); });
    return { label, input, bar, share };
  });

  function percent(p) {
    return `${(100 * p).toFixed(1)}\u00a0%`;
  }

  function show(newPixels) {
    pixels = newPixels;
    const p = pixels ? probabilities(pixels) : null;
    rows.forEach((row, c) => {
      row.bar.style.width = p ? `${100 * p[c]}%` : "0";
      row.share.textContent = p ? percent(p[c]) : "–";
      row.label.classList.toggle("first", Boolean(p) && p[c] === Math.max(...p));
    });
    explain();
  }

  /* Spoken by a screen reader: so only when a stroke has ended. */
  function say(remark = "") {
    if (!pixels) {
      reading.textContent = remark || invitations.reading;
      return;
    }
    const p = probabilities(pixels);
    const [first, second] = [...classes].sort((c, d) => p[d] - p[c]);
    const then = second === undefined ? "" : `, then ${names[second]} with ${percent(p[second])}`;
    reading.textContent = `${remark} It reads ${names[first]} with ${percent(p[first])}${then}.`.trim();
  }

  /* Template times ink, pixel by pixel: blue speaks for the class, red against it. */
  function explain() {
    const context = evidence.getContext("2d");
    if (!pixels) {
      context.clearRect(0, 0, SIDE, SIDE);
      why.textContent = invitations.why;
      return;
    }
    const score = scores(pixels);
    const c = pointed ?? chosen ?? score.indexOf(Math.max(...score));
    const shares = Array.from(pixels, (x, i) => x * W[i * model.n_out + c]);
    let strongest = 0; // of all classes, so that their pictures can be compared
    for (let i = 0; i < W.length; i++) {
      strongest = Math.max(strongest, Math.abs(W[i] * pixels[Math.floor(i / model.n_out)]));
    }
    const [neutral, favour, against] = ["--neutral", "--for", "--against"].map(rgb);
    paint(context, (i) => {
      const strength = Math.sqrt(Math.abs(shares[i]) / (strongest || 1));
      const end = shares[i] > 0 ? favour : against;
      const mixed = neutral.map((v, k) => v + (end[k] - v) * strength);
      return [...mixed, 255 * Math.min(1, 1.4 * pixels[i])];
    });
    const sum = (sign) => shares.reduce((a, v) => (v * sign > 0 ? a + v : a), 0);
    const number = (v) => (v < 0 ? "−" : "+") + Math.abs(v).toFixed(1);
    why.textContent = `Class ${names[c]}: the blue ink speaks for it with ${number(sum(1))}, the red ` +
      `against it with ${number(sum(-1))}; with the bias, ${number(b[c])}, its score is ` +
      `${number(score[c])}.`;
    rows.forEach((row, d) => row.label.classList.toggle("explained", d === c));
  }

  // --- mouse, finger, pen, keyboard ------------------------------------------------------

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * canvas.width,
      y: ((event.clientY - box.top) / box.height) * canvas.height,
    };
  }

  let drawing = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || drawing) return;
    drawing = { id: event.pointerId, at: place(event) };
    canvas.setPointerCapture(event.pointerId);
    penMark.hidden = true;
    stroke(drawing.at, drawing.at);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drawing || event.pointerId !== drawing.id) return;
    const between = event.getCoalescedEvents?.() ?? [];
    for (const point of between.length ? between : [event]) {
      const to = place(point);
      stroke(drawing.at, to);
      drawing.at = to;
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      if (!drawing || event.pointerId !== drawing.id) return;
      drawing = null;
      look();
      say();
    });
  }

  function showPen() {
    penMark.hidden = false;
    penMark.classList.toggle("down", pen.down);
    penMark.style.left = `${(100 * pen.x) / canvas.width}%`;
    penMark.style.top = `${(100 * pen.y) / canvas.height}%`;
  }

  const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const move = MOVES[event.key];
    if (move) {
      const step = event.shiftKey ? STEP / 4 : STEP;
      const to = {
        x: Math.min(Math.max(pen.x + move[0] * step, 0), canvas.width),
        y: Math.min(Math.max(pen.y + move[1] * step, 0), canvas.height),
      };
      if (pen.down) stroke(pen, to);
      pen = { ...to, down: pen.down };
    } else if (event.key === " ") {
      if (event.repeat) return event.preventDefault();
      pen.down = !pen.down;
      if (pen.down) stroke(pen, pen);
      look();
      say(pen.down ? "Pen down." : "Pen lifted.");
    } else if (event.key === "Delete" || event.key === "Backspace") {
      pen.down = false;
      clear();
    } else {
      return;
    }
    event.preventDefault();
    showPen();
  });
  canvas.addEventListener("focus", () => {
    if (canvas.matches(":focus-visible")) showPen();
  });
  canvas.addEventListener("blur", () => {
    pen.down = false;
    penMark.hidden = true;
  });
  document.getElementById("clear").addEventListener("click", clear);

  for (const { label, pixels: base64 } of model.samples) {
    const button = document.createElement("button"), image = document.createElement("canvas");
    const sample = bytes(base64);
    image.width = image.height = SIDE;
    const redraw = () => paint(image.getContext("2d"), (i) => [...rgb("--ink"), sample[i]]);
    redraw();
    button.type = "button";
    button.setAttribute("aria-label", `Load a test image of class ${label}`);
    button.append(image);
    button.addEventListener("click", () => load(sample));
    document.getElementById("samples").append(button);
    whenThemeChanges(redraw);
  }

  function whenThemeChanges(action) {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", action);
  }

  whenThemeChanges(() => {
    sheet.save();
    sheet.globalCompositeOperation = "source-in"; // the same opacity, another colour
    sheet.fillStyle = colour("--ink");
    sheet.fillRect(0, 0, canvas.width, canvas.height);
    sheet.restore();
    explain();
  });
})();
