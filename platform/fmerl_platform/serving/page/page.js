"use strict";
// Everything a client sent comes back as text and is put in by textContent alone.

const NAMED = {
  joy: "#e0a800", happy: "#e0a800", happiness: "#e0a800", excited: "#f07f13", surprise: "#f07f13", anger: "#c9302c",
  angry: "#c9302c", mad: "#c9302c", frustrated: "#9c4f96", frustration: "#9c4f96", sadness: "#2f6fb5", sad: "#2f6fb5",
  fear: "#6b4fa0", scared: "#6b4fa0", disgust: "#5d8a2a", neutral: "#8b95a1", peaceful: "#2a9d8f", powerful: "#b5562b",
};
const OTHERS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#795548", "#607d3b", "#ad1457"];
const DIMENSIONS = [
  { name: "valence", colour: "#0072b2", dash: "" },
  { name: "arousal", colour: "#d55e00", dash: "7 4" },
  { name: "dominance", colour: "#00795a", dash: "2 3" },
];
const SVG = "http://www.w3.org/2000/svg";
const at = (id) => document.getElementById(id);
const state = { model: null, rows: [], socket: null, live: false };

function element(tag, { text, className, ...attributes } = {}, ...children) {
  const made = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.setAttribute("class", className);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function colourOf(emotion) {
  const named = NAMED[emotion.toLowerCase()];
  if (named) return named;
  const others = state.model.classes.filter((name) => !NAMED[name.toLowerCase()]);
  return OTHERS[Math.max(0, others.indexOf(emotion)) % OTHERS.length];
}

// A class whose name is another column's has its probability in a column of a longer name.
const probability = (row, emotion) => row[`probability of ${emotion}`] ?? row[emotion];
const percent = (share) => `${Math.round(100 * share)} %`;

function complain(message) {
  at("problem").textContent = message;
  at("problem").hidden = !message;
}

const AGAIN = [500, 503]; // a process of the service died, or all are busy: asking again changes nothing but the answer

async function ask(kind, body, tries = 3) {
  complain("");
  const answer = await fetch("predict", { method: "POST", headers: { "Content-Type": kind }, body });
  if (AGAIN.includes(answer.status) && tries > 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return ask(kind, body, tries - 1);
  }
  const said = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
  if (!answer.ok) throw new Error(said.error);
  return said.rows;
}

async function predict(kind, body) {
  const button = at("paste").querySelector("button");
  button.disabled = true;
  try {
    show(await ask(kind, body));
    endLive();
  } catch (error) {
    complain(error.message);
  } finally {
    button.disabled = false;
  }
}

function turnsOf(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.map((line, place) => {
    const colon = line.indexOf(":");
    if (colon < 1) throw new Error(`line ${place + 1}: write Speaker: text`);
    return { speaker: line.slice(0, colon).trim(), text: line.slice(colon + 1).trim() };
  });
}

// Turn by turn: the server keeps the conversation with this connection, and answers each turn.
function endLive() {
  if (state.socket) state.socket.close();
  state.socket = null;
  state.live = false;
}

function connect() {
  const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/stream`);
  socket.addEventListener("message", (event) => hear(JSON.parse(event.data)));
  socket.addEventListener("close", () => {
    if (state.socket !== socket) return;
    state.socket = null; // the next turn opens another, and sends the conversation so far
    if (at("live").querySelector("button").disabled) complain("the connection was closed; add the turn again");
    at("live").querySelector("button").disabled = false;
  });
  return new Promise((resolve, reject) => {
    socket.addEventListener("open", () => resolve(socket));
    socket.addEventListener("error", () => reject(new Error("no connection to the server")));
  });
}

function hear(answer) {
  at("live").querySelector("button").disabled = false;
  if (answer.error) return complain(answer.error);
  const revised = new Map(answer.revised.map((row) => [row.utterance_id, row]));
  const before = state.live ? state.rows : [];
  state.live = true;
  show([...before.map((row) => revised.get(row.utterance_id) ?? row), ...answer.rows]);
  at("text").value = "";
  at("text").focus();
}

async function addTurn() {
  complain("");
  at("live").querySelector("button").disabled = true;
  try {
    if (!state.socket) {
      const said = state.live ? state.rows.map(({ speaker, text }) => ({ speaker, text })) : [];
      state.socket = await connect();
      state.live = false;
      state.socket.send(JSON.stringify([...said, { speaker: at("speaker").value, text: at("text").value }]));
    } else {
      state.socket.send(JSON.stringify({ speaker: at("speaker").value, text: at("text").value }));
    }
  } catch (error) {
    at("live").querySelector("button").disabled = false;
    complain(error.message);
  }
}

function show(rows) {
  state.rows = rows;
  const names = [...new Set(rows.map((row) => row.dialogue_id))];
  const which = at("which");
  which.replaceChildren(...names.map((name) => element("option", { text: name, value: name })));
  which.hidden = names.length < 2;
  at("result").hidden = false;
  draw();
}

function draw() {
  const rows = state.rows.filter((row) => row.dialogue_id === at("which").value);
  rows.sort((one, other) => one.turn - other.turn);
  drawLegend(rows);
  drawChart(rows);
  at("turns").replaceChildren(...rows.map(drawTurn));
}

function drawLegend(rows) {
  const counts = new Map(state.model.classes.map((name) => [name, 0]));
  for (const row of rows) counts.set(row.predicted, counts.get(row.predicted) + 1);
  at("legend").replaceChildren(...[...counts].map(([name, count]) => {
    const swatch = element("span", { className: "swatch" });
    swatch.style.background = colourOf(name);
    return element("li", { className: count ? "" : "none" }, swatch, element("span", { text: `${name} ${count}` }));
  }));
}

function drawTurn(row, place) {
  const share = probability(row, row.predicted);
  const filled = element("div");
  filled.style.width = `${100 * share}%`;
  filled.style.background = colourOf(row.predicted);
  const notes = [];
  if (state.model.seeds.length > 1) notes.push(`${percent(row.seed_agreement)} of seeds agree`);
  if (row.missing) notes.push(`without ${row.missing.replace(" ", ", ")}`);
  const item = element("li", {},
    element("span", { className: "number", text: String(place + 1) }),
    element("div", { className: "said" },
      element("span", { className: "speaker", text: row.speaker }), element("span", { text: row.text })),
    element("div", { className: "verdict" },
      element("div", { className: "names" },
        element("span", { className: "emotion", text: row.predicted }), element("span", { text: percent(share) })),
      element("div", { className: "bar", role: "meter", "aria-valuenow": String(Math.round(100 * share)),
        "aria-label": "probability" }, filled),
      element("div", { className: "note", text: notes.join(", ") })));
  item.style.borderLeftColor = colourOf(row.predicted);
  item.dataset.emotion = row.predicted;
  item.addEventListener("mouseenter", () => mark(place));
  item.addEventListener("mouseleave", () => mark(-1));
  return item;
}

function mark(place) {
  for (const bar of at("chart").querySelectorAll(".here")) bar.setAttribute("visibility", "hidden");
  at("chart").querySelector(`[data-turn="${place}"]`)?.setAttribute("visibility", "visible");
}

function drawChart(rows) {
  const known = DIMENSIONS.filter(({ name }) => rows.some((row) => row[name] !== null));
  at("chart").parentElement.hidden = !known.length;
  if (!known.length) return;
  const [low, high] = shownRange(rows.flatMap((row) => known.map(({ name }) => row[name])));
  const [width, height, left, right, top, bottom] = [at("chart").clientWidth || 800, 210, 34, 84, 10, 38];
  const x = (place) => left + (width - left - right) * (rows.length > 1 ? place / (rows.length - 1) : 0.5);
  const y = (value) => top + (height - top - bottom) * (1 - (value - low) / (high - low));
  const parts = [];
  for (const level of [low, (low + high) / 2, high]) {
    parts.push(element("svg:line", { x1: left, x2: width - right, y1: y(level), y2: y(level), className: "grid" }),
      element("svg:text", { x: left - 6, y: y(level) + 4, "text-anchor": "end", className: "axis",
        text: String(Math.round(100 * level) / 100) }));
  }
  const step = Math.ceil(rows.length / Math.max(1, Math.floor((width - left - right) / 26)));
  rows.forEach((row, place) => {
    const wide = Math.max(4, (width - left - right) / Math.max(1, rows.length - 1));
    parts.push(element("svg:rect", { x: x(place) - wide / 2, y: top, width: wide, height: height - top - bottom,
      className: "here", visibility: "hidden", "data-turn": place }));
    const strip = Math.min(20, Math.max(3, wide - 2));
    parts.push(element("svg:rect", { x: x(place) - strip / 2, y: height - bottom + 6, width: strip, height: 8, rx: 2,
      fill: colourOf(row.predicted) }));
    if (place % step === 0) {
      parts.push(element("svg:text", { x: x(place), y: height - 8, "text-anchor": "middle", className: "axis",
        text: String(place + 1) }));
    }
  });
  const ends = known.map(({ name }) => y(rows.at(-1)[name] ?? (low + high) / 2));
  const labels = spread(ends, 14);
  known.forEach(({ name, colour, dash }, number) => {
    const points = rows.map((row, place) => `${x(place)},${y(row[name])}`);
    parts.push(element("svg:polyline", { points: points.join(" "), className: "series", stroke: colour,
      "stroke-dasharray": dash, "data-dimension": name }));
    rows.forEach((row, place) => parts.push(element("svg:circle", { cx: x(place), cy: y(row[name]), r: 2.6,
      fill: colour }, element("svg:title", { text: `turn ${place + 1}, ${name} ${row[name].toFixed(2)}` }))));
    parts.push(element("svg:text", { x: width - right + 10, y: labels[number] + 4, fill: colour, text: name }));
  });
  at("chart").setAttribute("viewBox", `0 0 ${width} ${height}`);
  at("chart").replaceChildren(...parts);
  const range = state.model.vad_range.join(" to ");
  at("axes").textContent = `Scores over the turns (full range ${range}); below them each turn's emotion.`;
}

// The half steps that hold all values, so that small changes are seen.
function shownRange(values) {
  const [low, high] = state.model.vad_range;
  const from = Math.max(low, Math.floor(2 * Math.min(...values)) / 2);
  const to = Math.min(high, Math.ceil(2 * Math.max(...values)) / 2);
  return from < to ? [from, to] : [low, high];
}

// Places of labels, moved apart so that none covers another.
function spread(places, room) {
  const order = places.map((_, number) => number).sort((one, other) => places[one] - places[other]);
  const moved = [...places];
  for (let next = 1; next < order.length; next += 1) {
    moved[order[next]] = Math.max(moved[order[next]], moved[order[next - 1]] + room);
  }
  return moved;
}

async function start() {
  state.model = await (await fetch("model")).json();
  const { system, corpus, seeds, missing } = state.model;
  const without = missing.length ? `; without ${missing.join(" and ")}` : "";
  at("about").textContent = `${system} trained on ${corpus}, ${seeds.length} seed${seeds.length > 1 ? "s" : ""}${without}`;
  at("paste").addEventListener("submit", (event) => {
    event.preventDefault();
    try {
      predict("application/json", JSON.stringify(turnsOf(at("lines").value)));
    } catch (error) {
      complain(error.message);
    }
  });
  at("file").addEventListener("change", () => {
    const [file] = at("file").files;
    if (file) predict("text/csv", file);
    at("file").value = "";
  });
  at("live").addEventListener("submit", (event) => {
    event.preventDefault();
    addTurn();
  });
  at("which").addEventListener("change", draw);
  window.addEventListener("resize", () => state.rows.length && draw());
}

start().catch((error) => complain(`the server does not answer (${error.message})`));
