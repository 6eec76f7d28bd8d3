// The timeline: operations down, virtual time across, invocations as bands.
"use strict";
const MANY_CHILDREN = 12; // children of a batch above which it is collapsed
const MANY_BANDS = 120;
const MANY_ROWS = 250; // rows above which only those are drawn that can be seen
const BEYOND = 15; // rows that are drawn beyond either edge
const ROW_HEIGHT = isPair ? 46 : 28;
const MOST_ZOOM = 256;

const timeline = {
  scale: new FoldedScale(),
  zoom: 1,
  picked: null,
  pairs: isPair ? model.rows : executions[0].operations.map((_, n) => [n, null]),
  collapsed: new Set(),
  made: new Map(),
  shown: [],
  drawn: [0, 0],
};

/** Return the operation of a row: that of the first execution, or of the other one. */
function operationOf([a, b]) {
  const which = a === null ? 1 : 0;
  return { which, number: which ? b : a, operation: executions[which].operations[which ? b : a] };
}
const keyOf = (which, number) => `${which}:${number}`;

function startTimeline() {
  const children = new Map();
  for (const pair of timeline.pairs) {
    const { which, operation } = operationOf(pair);
    if (operation.parent !== null) {
      const key = keyOf(which, operation.parent);
      children.set(key, (children.get(key) ?? 0) + 1);
    }
  }
  timeline.children = children;
  for (const [key, count] of children) if (count > MANY_CHILDREN) timeline.collapsed.add(key);
  for (const [id, act] of [["folded", () => setScale(true)], ["true-time", () => setScale(false)], ["zoom-in", () => setZoom(timeline.zoom * 2)], ["zoom-out", () => setZoom(timeline.zoom / 2)], ["zoom-fit", () => setZoom(1)]]) {
    $(`#${id}`).addEventListener("click", act);
  }
  addEventListener("resize", drawAxis);
  addEventListener("beforeprint", () => drawRows(0, timeline.shown.length));
  addEventListener("afterprint", () => drawSeen(true));
  $(".scroller").addEventListener("scroll", () => requestAnimationFrame(() => drawSeen(false)), { passive: true });
  document.documentElement.style.setProperty("--row", `${ROW_HEIGHT}px`);
  drawTimeline();
}

function setScale(folded) {
  timeline.scale = folded ? new FoldedScale() : new TrueScale();
  $("#folded").setAttribute("aria-pressed", folded);
  $("#true-time").setAttribute("aria-pressed", !folded);
  timeline.made.clear();
  drawTimeline();
  markPass(theatre.number);
  followPass(theatre.number);
}

function setZoom(zoom) {
  const scroller = $(".scroller");
  const middle = (scroller.scrollLeft + scroller.clientWidth / 2) / scroller.scrollWidth;
  timeline.zoom = Math.max(1, Math.min(MOST_ZOOM, zoom));
  document.documentElement.style.setProperty("--zoom", timeline.zoom);
  drawAxis();
  scroller.scrollLeft = middle * scroller.scrollWidth - scroller.clientWidth / 2;
}

function drawTimeline() {
  const table = $(".rows");
  const space = () => make("div", { class: "space", role: "none", "aria-hidden": "true" });
  table.replaceChildren(make("div", { class: "row axis", role: "row" }), bandRow(), space(), space());
  drawAxis();
  timeline.shown = timeline.pairs.filter((pair) => !isInCollapsed(pair));
  table.setAttribute("aria-rowcount", timeline.shown.length + 2);
  drawSeen(true);
}

/** Draw the rows that can be seen, and some beyond; all of them if they are few. */
function drawSeen(always) {
  const scroller = $(".scroller");
  const count = timeline.shown.length;
  if (count <= MANY_ROWS) return always && drawRows(0, count);
  const first = Math.floor(scroller.scrollTop / ROW_HEIGHT);
  const last = Math.min(count, first + Math.ceil(scroller.clientHeight / ROW_HEIGHT));
  const [from, to] = timeline.drawn;
  if (always || first < from || last > to) drawRows(Math.max(0, first - BEYOND), Math.min(count, last + BEYOND));
}

function drawRows(from, to) {
  const focused = document.activeElement;
  const [before, after] = document.querySelectorAll(".rows .space");
  while (before.nextSibling !== after) before.nextSibling.remove();
  before.after(...timeline.shown.slice(from, to).map((pair, n) => {
    const row = rowOf(pair);
    row.setAttribute("aria-rowindex", from + n + 3);
    return row;
  }));
  before.style.height = `${from * ROW_HEIGHT}px`;
  after.style.height = `${(timeline.shown.length - to) * ROW_HEIGHT}px`;
  timeline.drawn = [from, to];
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}

function isInCollapsed(pair) {
  let { which, operation } = operationOf(pair);
  while (operation.parent !== null) {
    if (timeline.collapsed.has(keyOf(which, operation.parent))) return true;
    operation = executions[which].operations[operation.parent];
  }
  return false;
}

function drawAxis() {
  const track = make("div", { class: "track", role: "columnheader" }, make("span", { class: "hidden" }, "Virtual time"));
  $(".row.axis").replaceChildren(make("div", { class: "name", role: "columnheader" }, isPair ? `${executions[0].label} above ${executions[1].label}` : executions[0].origin === "export" ? "Time" : "Virtual time"), track, make("div", { class: "outcome", role: "columnheader" }, "Outcome"));
  for (const label of timeline.scale.labels(track.clientWidth)) {
    if (label.fold) {
      track.append(make("div", { class: "fold", "aria-hidden": "true", style: { left: `${label.from * 100}%`, width: `${(label.to - label.from) * 100}%` } }, make("span", {}, label.text)));
    } else {
      const edge = label.x * track.clientWidth < 24 ? " start" : (1 - label.x) * track.clientWidth < 24 ? " end" : "";
      track.append(make("div", { class: `tick${edge}`, "aria-hidden": "true", style: { left: `${label.x * 100}%` } }, label.text));
    }
  }
}

/** Return from where to where an invocation reaches on the axis. */
function reach(which, pass) {
  const execution = executions[which];
  const margin = timeline.scale.margin;
  if (pass.after > pass.before) return [timeline.scale.ofEvent(which, pass.before) - margin, timeline.scale.ofEvent(which, pass.after - 1) + margin];
  return [timeline.scale.ofTime(pass.start), timeline.scale.ofTime(pass.end)];
}

function bandRow() {
  const track = make("div", { class: "track", role: "cell" });
  const passes = executions[0].passes;
  const bands = passes.map((pass) => reach(0, pass));
  if (passes.length <= MANY_BANDS) {
    const tint = bands.flatMap(([from, to]) => [`transparent ${from * 100}%`, `var(--faint) ${from * 100}%`, `var(--faint) ${Math.max(to, from + 0.002) * 100}%`, `transparent ${Math.max(to, from + 0.002) * 100}%`]);
    $(".rows").style.setProperty("--bands", tint.length ? `linear-gradient(90deg, ${tint.join(", ")})` : "none");
    track.append(...passes.map((pass, n) => make("button", { type: "button", class: "band", tabindex: -1, "aria-label": `Invocation ${pass.number}`, title: `Invocation ${pass.number}, at ${spell(pass.start)}`, style: { left: `${bands[n][0] * 100}%`, width: `${(bands[n][1] - bands[n][0]) * 100}%` }, onclick: () => showPass(pass.number) }, make("span", {}, String(pass.number)))));
  } else {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 100000 1");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("class", "many");
    svg.setAttribute("aria-hidden", "true");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", bands.map(([from, to]) => `M${(from * 1e5).toFixed(0)} 0h${Math.max(20, (to - from) * 1e5).toFixed(0)}v1h-${Math.max(20, (to - from) * 1e5).toFixed(0)}z`).join(""));
    svg.append(path);
    svg.addEventListener("click", (event) => {
      const x = event.offsetX / svg.clientWidth;
      showPass(bands.reduce((best, [from], n) => (Math.abs(from - x) < Math.abs(bands[best][0] - x) ? n : best), 0) + 1);
    });
    track.append(svg);
  }
  track.append(make("div", { class: "here", hidden: true }));
  return make("div", { class: "row bands", role: "row" }, make("div", { class: "name", role: "rowheader" }, isPair ? `Invocations, ${executions[0].label}` : "Invocations"), track, make("div", { class: "outcome", role: "cell" }, plural(passes.length, "invocation")));
}

/** Mark an invocation on the timeline. */
function markPass(number) {
  const pass = executions[0].passes[number - 1];
  for (const band of document.querySelectorAll(".band")) band.setAttribute("aria-current", band.textContent === String(number));
  const here = $(".bands .here");
  here.hidden = !pass || executions[0].passes.length <= MANY_BANDS;
  if (pass) here.style.left = `${reach(0, pass)[0] * 100}%`;
}

/** Scroll the timeline, if it must be, to an invocation and the first operation done in it. */
function followPass(number) {
  const pass = executions[0].passes[number - 1];
  const scroller = $(".scroller");
  if (!pass) return;
  const row = timeline.shown.findIndex((pair) => pair[0] === (pass.done[0] ?? pass.waiting[0]));
  const top = row * ROW_HEIGHT;
  if (row >= 0 && (top < scroller.scrollTop || top > scroller.scrollTop + scroller.clientHeight - 4 * ROW_HEIGHT)) scroller.scrollTop = top - 2 * ROW_HEIGHT;
  const track = $(".bands .track");
  const left = reach(0, pass)[0] * track.clientWidth;
  const room = scroller.clientWidth - (scroller.scrollWidth - track.clientWidth);
  if (left < scroller.scrollLeft || left > scroller.scrollLeft + room - 30) scroller.scrollLeft = left - room / 3;
}

function rowOf(pair) {
  const { which, number, operation } = operationOf(pair);
  const key = keyOf(which, number);
  if (timeline.made.has(key)) return timeline.made.get(key);
  const lanes = isPair ? pair.map((one, n) => laneOf(n, one)) : [laneOf(0, pair[0])];
  const differs = isPair && (pair.includes(null) || statusAt(0, pair) !== statusAt(1, pair) || runAt(0, pair) !== runAt(1, pair));
  const outcome = visible(isPair ? pairOutcome(pair) : outcomeOf(executions[which], operation));
  const isBad = !isPair && toneOf(operation.status) === "bad";
  const row = make(
    "div",
    { class: `row${isPair ? " two" : ""}${differs ? " parts" : ""}`, role: "row", style: { "--depth": Math.min(operation.depth, 6) } },
    make("div", { class: "name", role: "rowheader" }, twistyOf(key, operation), pickOf(which, number, operation)),
    make("div", { class: "track", role: "cell" }, make("span", { class: "hidden" }, `from ${spell(timeOf(executions[which], operation.begun))} to ${spell(endOf(executions[which], operation))}`), ...lanes),
    make("div", { class: `outcome${isBad || differs ? " bad" : ""}`, role: "cell", title: outcome }, outcome),
  );
  timeline.made.set(key, row);
  return row;
}
const statusAt = (which, pair) => (pair[which] === null ? null : executions[which].operations[pair[which]].status);
/** Return the number of the invocation in which an operation of a pair began. */
function runAt(which, pair) {
  const { operations, passes } = executions[which];
  return passes.find((pass) => operations[pair[which]].begun < pass.after)?.number ?? null;
}
function pairOutcome(pair) {
  const names = executions.map((one, n) => one.label || ["first", "second"][n]);
  if (pair[0] === null) return `only ${names[1]}`;
  if (pair[1] === null) return `only ${names[0]}`;
  if (statusAt(0, pair) === statusAt(1, pair) && runAt(0, pair) !== runAt(1, pair)) return `in invocation ${runAt(0, pair)} / ${runAt(1, pair)}`;
  return statusAt(0, pair) === statusAt(1, pair) ? outcomeOf(executions[0], executions[0].operations[pair[0]]) : `${statusAt(0, pair)} / ${statusAt(1, pair)}`.toLowerCase();
}

function twistyOf(key, operation) {
  const count = timeline.children.get(key);
  if (!count) return null;
  const twisty = make("button", { type: "button", class: "twisty", "aria-expanded": String(!timeline.collapsed.has(key)), "aria-label": `${plural(count, "operation")} inside ${visible(operation.name)}` });
  twisty.addEventListener("click", () => {
    const isOpen = timeline.collapsed.has(key);
    timeline.collapsed[isOpen ? "delete" : "add"](key);
    twisty.setAttribute("aria-expanded", isOpen);
    drawTimeline();
    twisty.focus();
  });
  return twisty;
}

function pickOf(which, number, operation) {
  const count = timeline.children.get(keyOf(which, number));
  const text = visible(operation.name) + (count > MANY_CHILDREN ? ` (${count})` : "");
  return make("button", { type: "button", class: "pick", title: visible(operation.path), onclick: () => pick(which, number) }, make("span", {}, text));
}

function laneOf(which, number) {
  if (number === null) return make("div", { class: "lane absent", "aria-hidden": "true" });
  const execution = executions[which];
  const operation = execution.operations[number];
  const tone = toneOf(operation.status);
  const [from, to] = [timeline.scale.ofEvent(which, operation.begun), operation.ended === null ? timeline.scale.ofTime(execution.seconds) : timeline.scale.ofEvent(which, operation.ended)];
  const lane = make("div", { class: `lane tone-${tone}`, "aria-hidden": "true" });
  const percent = (x) => `${(x * 100).toFixed(3)}%`;
  const dot = (x, name, small, title, toned = "") => lane.append(make("div", { class: `dot${small ? " small" : ""} ${toned}`, style: { left: percent(x) }, title: title && visible(title) }, icon(name)));
  const shape = isWaiting(operation) ? " wait" : operation.kind === "Step" ? "" : " context";
  lane.append(make("div", { class: `span${shape}${operation.ended === null ? " open" : ""}`, style: { left: percent(from), width: percent(to - from) } }));
  if (operation.kind === "Callback") dot(from, "diamond", true, "created");
  for (const attempt of operation.attempts) {
    dot(timeline.scale.ofEvent(which, attempt.event), attempt.succeeded ? "open" : "bad", true, attempt.succeeded ? "polled" : `attempt failed: ${attempt.error ? attempt.error.type : ""}`, attempt.succeeded ? "tone-quiet" : "tone-bad");
  }
  for (const call of operation.deliveries) {
    if (call.kind === "heartbeat") dot(timeline.scale.ofTime(call.at), "beat", true, `heartbeat${call.by ? ` by ${call.by}` : ""}`, "tone-quiet");
    else if (call.refused) dot(timeline.scale.ofTime(call.at), "bad", true, `refused: ${call.refused}`, "tone-bad");
  }
  const end = operation.status === "TIMED_OUT" ? "late" : tone === "bad" ? "bad" : operation.ended === null ? "open" : operation.kind === "Callback" ? "answered" : "now";
  dot(to, end, end === "now", outcomeOf(execution, operation));
  return lane;
}

/** Show everything that is known of an operation, below the timeline. */
function pick(which, number) {
  const execution = executions[which];
  const operation = execution.operations[number];
  timeline.picked?.classList.remove("picked");
  timeline.picked = timeline.made.get(keyOf(which, number));
  timeline.picked?.classList.add("picked");
  const facts = [["Path", operation.path], ["Kind", operation.kind], ["Status", operation.status], ["Started", `${spell(timeOf(execution, operation.begun))} · ${moment(execution, timeOf(execution, operation.begun))}`]];
  if (operation.ended !== null) facts.push(["Ended", `${spell(endOf(execution, operation))} · ${moment(execution, endOf(execution, operation))}`]);
  if (operation.line) facts.push(["Line", String(operation.line)]);
  if (operation.timeout) facts.push(["Timeout", spell(operation.timeout)]);
  if (operation.heartbeat_timeout) facts.push(["Heartbeat timeout", spell(operation.heartbeat_timeout)]);
  for (const [n, one] of operation.attempts.entries()) facts.push([one.succeeded ? `Poll ${n + 1}` : `Attempt ${n + 1}`, `${spell(timeOf(execution, one.event))}, the next one ${spell(one.delay)} later${one.error ? `: ${errorOf(one.error)}` : ""}`]);
  for (const one of operation.deliveries) facts.push([one.kind, `${spell(one.at)}${one.by ? ` by ${one.by}` : ""}${one.refused ? `, refused: ${one.refused}` : ""}`]);
  if (operation.error) facts.push(["Error", errorOf(operation.error)]);
  const list = make("dl", {}, ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, visible(value))]));
  if (operation.result !== null) list.append(make("dt", {}, "Result"), make("dd", {}, make("pre", { tabindex: 0 }, visible(operation.result))));
  const panel = $("#details");
  panel.hidden = false;
  panel.replaceChildren(make("h3", {}, visible(operation.name)), list);
  joinOperation(which, number);
}
