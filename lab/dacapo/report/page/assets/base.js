// Shared: the model, elements, icons, durations, and text that may hold anything.
"use strict";
const model = JSON.parse(document.getElementById("model").textContent);
const executions = model.executions;
const isPair = executions.length === 2;
const $ = (selector, within = document) => within.querySelector(selector);

/** Make an element; children that are strings become text, never markup. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name === "style") for (const [k, v] of Object.entries(value)) element.style.setProperty(k, v);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Each meaning has a shape of its own, so that the colors are not needed.
const SHAPES = {
  read: ["M6 4 2.5 7.5 6 11M3 7.5h7a3.5 3.5 0 0 1 0 7H8"],
  now: ["M8 3.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9z", true],
  held: ["M5 3v10M11 3v10"],
  bad: ["M4 4l8 8M12 4l-8 8"],
  late: ["M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM8 5v3.2l2 1.6"],
  open: ["M8 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8z"],
  again: ["M8 2.5 14.5 13.5h-13zM8 7v3M8 11.8v.1"],
  effect: ["M2.5 4h11v8.5h-11zM2.5 4.5 8 9l5.5-4.5"],
  wait: ["M2 8h2M7 8h2M12 8h2"],
  beat: ["M8 4v8"],
  diamond: ["M8 3l5 5-5 5-5-5z"],
  answered: ["M8 3l5 5-5 5-5-5z", true],
};
function icon(name) {
  const [path, solid] = SHAPES[name];
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", solid ? "icon solid" : "icon");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

/** Return a text in which what is invisible, or would turn or steer other text, can be seen. */
function visible(text) {
  return String(text).replace(
    // eslint-disable-next-line no-control-regex
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (sign) => {
      const code = sign.codePointAt(0);
      return code < 32 ? String.fromCodePoint(0x2400 + code) : `‹U+${code.toString(16).toUpperCase().padStart(4, "0")}›`;
    },
  );
}
const shorten = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

const UNITS = [["y", 31536000], ["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
/** Spell a length of time in its two largest units: `7 d`, `6 h 30 min`, `250 ms`. */
function spell(seconds) {
  if (seconds < 0.0005) return "0 s";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10 && Math.abs(seconds - Math.round(seconds)) > 0.0005) return `${Number(seconds.toFixed(seconds < 2 ? 3 : 2))} s`;
  let whole = Math.round(seconds);
  for (let n = 0; n < UNITS.length; n++) {
    const [unit, size] = UNITS[n];
    if (whole < size) continue;
    const count = Math.floor(whole / size);
    if (n === UNITS.length - 1) return `${count} ${unit}`;
    const [smaller, smallerSize] = UNITS[n + 1];
    const rest = Math.floor((whole % size) / smallerSize);
    return rest ? `${count} ${unit} ${rest} ${smaller}` : `${count} ${unit}`;
  }
  return "0 s";
}
const ordinal = (count) => `${count}${{ 2: "nd", 3: "rd" }[count] ?? "th"}`;
const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
/** Return the date and time of a moment of an execution, in UTC. */
function moment(execution, seconds) {
  const at = new Date(Date.parse(execution.started) + seconds * 1000);
  const options = { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false, timeZone: "UTC" };
  return `${at.toLocaleString("en-GB", options)} UTC`;
}

const errorOf = (error) => [error.type, error.message].filter(Boolean).join(": ");
const GOOD = new Set(["SUCCEEDED"]);
const OPEN = new Set(["STARTED", "PENDING", "READY", "RUNNING"]);
const toneOf = (status) => (GOOD.has(status) ? "good" : OPEN.has(status) ? "open" : "bad");
const timeOf = (execution, position) => execution.times[Math.min(position, execution.times.length - 1)] ?? 0;
const endOf = (execution, operation) => (operation.ended === null ? execution.seconds : timeOf(execution, operation.ended));
const isWaiting = (operation) => ["Wait", "Callback", "ChainedInvoke", "WaitForCondition", "WaitForCallback"].includes(operation.kind);

/** Return what an operation is in a pass: `read`, `now`, `held`, `harm`, or "" for not there yet. */
function stateIn(execution, number, pass) {
  const operation = execution.operations[number];
  if (operation.begun >= pass.after) return "";
  const hidden = operation.hidden !== null && operation.hidden < pass.before;
  if (operation.ended !== null && operation.ended < pass.before) {
    if (hidden) return "";
    return pass.unread && pass.unread.includes(number) ? "harm" : "read";
  }
  if (pass.waiting.includes(number)) return "held";
  return pass.done.includes(number) ? "now" : hidden ? "" : "open";
}
const STATES = { read: "read back", now: "done now", held: "suspended here", harm: "never read", open: "open" };

/** What happened to an operation, in a few words. */
function outcomeOf(execution, operation) {
  const words = [];
  const length = endOf(execution, operation) - timeOf(execution, operation.begun);
  const answer = operation.deliveries.find((one) => one.kind !== "heartbeat" && !one.refused);
  if (operation.status === "TIMED_OUT") words.push(`timed out after ${spell(length)}`);
  else if (operation.kind === "Callback" && operation.ended !== null) {
    const verb = operation.status === "SUCCEEDED" ? "answered" : "failed";
    words.push(answer && answer.by ? `${verb} by ${answer.by}` : verb);
    if (length) words.push(`after ${spell(length)}`);
  } else if (operation.kind === "WaitForCondition") words.push(plural(operation.attempts.length + (operation.ended === null ? 0 : 1), "poll"));
  else if (!GOOD.has(operation.status)) words.push(operation.ended === null ? "open" : operation.status.toLowerCase().replace("_", " "));
  else if (operation.kind === "Wait" || length >= 1) words.push(spell(length));
  const failed = operation.attempts.filter((one) => !one.succeeded).length;
  if (failed) words.push(plural(failed + (operation.ended === null ? 0 : 1), "attempt"));
  const beats = operation.deliveries.filter((one) => one.kind === "heartbeat").length;
  if (beats) words.push(plural(beats, "heartbeat"));
  const refused = operation.deliveries.filter((one) => one.refused).length;
  if (refused) words.push(`${refused} refused`);
  return words.join(", ");
}
