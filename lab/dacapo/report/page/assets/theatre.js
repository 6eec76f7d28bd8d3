// The replay theatre: each invocation runs the body from the top, and reads back what is recorded.
"use strict";
const FOLD_ABOVE = 14; // operations read back in a row above which most of them are folded
const LINE_DELAY = 90; // ms between two lines that light up
const LONGEST_RUN = 1600; // ms for all lines of a pass

const theatre = { number: 1, stages: [], timers: [], unfolded: false, unfoldedTexts: false };
const passCount = Math.max(...executions.map((one) => one.passes.length), 1);
const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function startTheatre() {
  const legend = [["read", "read back from the history"], ["now", "done now"], ["held", "suspended here"], ["again", "seen again by the world, or never read", "harm"]];
  $(".legend").append(...legend.map(([name, text, tone]) => make("li", { class: `is-${tone ?? name}` }, icon(name), make("span", {}, text))));
  executions.forEach((execution, which) => {
    const stage = make("div", { class: "stage", role: "group", "aria-label": execution.label ? `Invocation of ${execution.label}` : "Invocation" });
    theatre.stages.push(stage);
    $(".stages").append(stage);
  });
  const slider = $("#pass");
  slider.max = passCount;
  slider.closest(".slider").hidden = passCount < 3;
  slider.addEventListener("input", () => showPass(Number(slider.value)));
  for (const [id, act] of [["first", () => 1], ["previous", () => theatre.number - 1], ["next", () => theatre.number + 1], ["last", () => passCount]]) {
    $(`#${id}`).addEventListener("click", () => showPass(act()));
  }
  $("#play").addEventListener("click", () => showPass(theatre.number));
  addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || event.altKey || event.ctrlKey || event.metaKey || event.target.closest("input, pre, .scroller, .code")) return;
    event.preventDefault();
    showPass(theatre.number + step);
  });
  showPass(firstHarm() ?? model.parting?.run ?? Math.min(2, passCount), { still: true });
}

/** Return the first invocation in which something goes wrong, if one does. */
function firstHarm() {
  const noted = executions.flatMap((one) => one.findings.map((found) => found.run)).filter((run) => run !== null);
  if (noted.length) return Math.min(...noted);
  const numbers = executions.flatMap((one) => [
    ...(one.effects ?? []).filter((effect) => effect.again && effect.run !== null).map((effect) => effect.run),
    ...one.passes.filter((pass) => pass.unread?.length || ["failed", "died", "timed out"].includes(pass.outcome)).map((pass) => pass.number),
  ]);
  return numbers.length ? Math.min(...numbers) : null;
}

/** Show an invocation, in every execution that has as many. */
function showPass(number, { still = false } = {}) {
  theatre.timers.forEach(clearTimeout);
  theatre.timers = [];
  theatre.number = Math.max(1, Math.min(passCount, number));
  const slider = $("#pass");
  slider.value = theatre.number;
  slider.setAttribute("aria-valuetext", `invocation ${theatre.number} of ${passCount}`);
  for (const id of ["first", "previous"]) $(`#${id}`).disabled = theatre.number === 1;
  for (const id of ["next", "last"]) $(`#${id}`).disabled = theatre.number === passCount;
  executions.forEach((execution, which) => drawStage(which, execution.passes[theatre.number - 1], still || isStill()));
  markPass(theatre.number);
  followPass(theatre.number);
  $("#announcement").textContent = theatre.stages.map((stage) => $(".caption", stage).textContent).join(". ");
}

function drawStage(which, pass, still) {
  const execution = executions[which];
  const stage = theatre.stages[which];
  const label = execution.label ? `${execution.label}: ` : "";
  if (!pass) {
    const last = execution.passes.length;
    stage.replaceChildren(make("p", { class: "caption" }, make("span", { class: "big" }, make("b", {}, `${label}no invocation ${theatre.number}`)), make("span", { class: "why" }, last ? `the execution had ended after ${plural(last, "invocation")}` : "this history names no invocation")), worldOf(which, null));
    return;
  }
  stage.replaceChildren(captionOf(which, pass, label), sourceOf(which, pass), pastOf(which, pass), worldOf(which, pass));
  runLines(stage, which, pass, still);
}

function captionOf(which, pass, label) {
  const execution = executions[which];
  const ends = { suspended: "suspended", succeeded: "the execution succeeds", failed: "the execution fails", died: "the invocation dies", "timed out": "the invocation times out" };
  const counts = [`${pass.read} read back`, `${pass.done.length} done now`];
  const isLast = pass.outcome === "suspended" && pass.number === execution.passes.length;
  const after = execution.never_resumed ? "suspended, and nothing ever resumes it" : { FAILED: ends.failed, TIMED_OUT: "suspended, until the execution times out", STOPPED: "suspended, until the execution is stopped" }[execution.status];
  const end = (isLast && after) || (ends[pass.outcome] ?? pass.outcome);
  return make(
    "p", { class: "caption" },
    make("span", { class: "big" }, make("b", {}, `${label}invocation ${pass.number} of ${execution.passes.length}`), ` at ${spell(pass.start)}, because ${visible(pass.woken_by)}`),
    make("span", { class: "why" }, `${moment(execution, pass.start)} · ${counts.join(", ")} · ${end}`),
  );
}

/** Return what each line is in a pass, and which operations are at it. */
function linesOf(which, pass) {
  const execution = executions[which];
  const lines = new Map();
  const at = (line) => {
    if (!lines.has(line)) lines.set(line, { states: new Set(), operations: [], effects: [] });
    return lines.get(line);
  };
  const ran = new Set((pass.lines ?? []).map(([line]) => line));
  execution.operations.forEach((operation, number) => {
    if (operation.line === null || !ran.has(operation.line)) return;
    const state = stateIn(execution, number, pass);
    if (state && state !== "harm" && state !== "open") {
      at(operation.line).states.add(state);
      at(operation.line).operations.push(number);
    }
  });
  // What woke the handler is read where it was suspended, which may not be where it was started.
  const before = execution.passes[pass.number - 2];
  if (pass.cause !== null && before && stateIn(execution, pass.cause, pass) === "read") {
    for (const line of before.suspended_at) {
      if (!ran.has(line) || lines.get(line)?.operations.length || !blockWith(execution, line)?.is_handler) continue;
      at(line).states.add("read");
      at(line).operations.push(pass.cause);
    }
  }
  for (const line of pass.suspended_at) if (blockWith(execution, line)?.is_handler) at(line).states.add("held");
  const raised = pass.outcome === "failed" ? execution.error?.line : null;
  if (raised) at(raised).raised = execution.error.type.split(".").at(-1);
  for (const effect of execution.effects ?? []) if (effect.run === pass.number && effect.line !== null) at(effect.line).effects.push(effect);
  return lines;
}
const blockWith = (execution, line) => execution.source?.blocks.find((one) => line >= one.first && line < one.first + one.lines.length);

function sourceOf(which, pass) {
  const execution = executions[which];
  const { source } = execution;
  if (!source) return make("div", { class: "panel source" }, make("h3", {}, "Source"), make("p", { class: "empty" }, execution.origin === "run" ? "The handler is not a function of your code." : "Name the handler to see its lines: dacapo show FILE --handler TARGET"));
  const remark = source.origin === "replay" ? " — today's handler, which may not be the code that wrote this history" : "";
  const panel = make("div", { class: "panel source", role: "group", "aria-label": "Source" }, make("h3", {}, source.file, make("small", {}, remark)));
  if (source.divergence) panel.append(make("p", { class: "empty is-harm" }, `Today's handler does not replay this history: ${visible(source.divergence)}`));
  if (!pass.is_called) panel.append(make("p", { class: "empty" }, "The body was not called in this invocation."));
  else if (pass.lines === null) panel.append(make("p", { class: "empty" }, `Lines are recorded for a share of the invocations; the nearest is ${nearestTraced(execution, pass.number)}.`));
  const lines = linesOf(which, pass);
  const counts = new Map(pass.lines ?? []);
  const handlerFirst = [...source.blocks].sort((a, b) => b.is_handler - a.is_handler || a.first - b.first);
  for (const block of handlerFirst) panel.append(blockOf(which, pass, block, lines, counts));
  return panel;
}

function nearestTraced(execution, number) {
  const traced = execution.passes.filter((one) => one.lines !== null).map((one) => one.number);
  return traced.reduce((best, one) => (Math.abs(one - number) < Math.abs(best - number) ? one : best), traced[0]);
}

function blockOf(which, pass, block, lines, counts) {
  const list = make("ol", { class: "code block", "aria-label": `${block.name}, line by line` });
  const first = new Map(block.statements.flatMap(([from, to]) => Array.from({ length: to - from }, (_, n) => [from + n + 1, from])));
  const last = new Map(block.statements);
  const endOf = (line) => last.get(first.get(line) ?? line) ?? line; // of the statement
  block.lines.forEach((text, n) => {
    const number = block.first + n;
    const own = lines.get(number);
    const state = own ? lineState(own) : "";
    const item = make(
      "li", { class: `line ${state}`, "data-line": number, "data-of": first.get(number) ?? number, value: number },
      make("span", { class: "number" }, String(number)),
      own?.operations.length || own?.states.size || state ? markOf(which, pass, number, own, state) : make("span", {}),
      make("span", { class: "content" }, make("span", { class: "text", style: { "--indent": text.length - text.trimStart().length } }, ...colored(text)), tagsOf(own, counts.get(number))),
    );
    item.addEventListener("pointerenter", () => joinLine(which, number));
    item.addEventListener("pointerleave", unjoin);
    list.append(item);
    for (const found of executions[which].findings) {
      if (endOf(found.line) === number && (found.run ?? pass.number) === pass.number) list.append(remarkOf(found));
    }
  });
  for (const [from, to] of block.docstrings) foldText(list, block, from, to);
  for (const item of list.querySelectorAll(".line")) if (item.dataset.of !== item.dataset.line) item.className = `line ${lineState(lines.get(Number(item.dataset.of))) ?? ""}`;
  return list;
}

/** Return a finding, or a note, to stand below its line. */
function remarkOf(found) {
  const trace = (name, lines) => (lines.length ? [make("dt", {}, name), make("dd", {}, make("pre", { tabindex: 0 }, visible(lines.join("\n"))))] : []);
  if (!found.code) return make("li", { class: "remark-at" }, make("p", {}, icon("again"), ` ${visible(found.message ?? "")}`));
  return make(
    "li", { class: `remark-at${found.certainty === "proved" ? "" : " mild"}` },
    make("p", {}, icon("again"), make("b", {}, ` ${found.certainty}: ${found.code}`), found.message ? ` — ${visible(found.message)}` : ""),
    make("dl", {}, ...trace("Recorded", found.recorded), ...trace("Replayed", found.replayed), make("dt", {}, "Rule"), make("dd", {}, found.rule), make("dt", {}, "Fix"), ...found.fix.map((way) => make("dd", {}, way))),
  );
}

/** Fold a long docstring to its first line. */
function foldText(list, block, from, to) {
  const items = [...list.querySelectorAll(".line")];
  const rest = items.slice(from - block.first + 1, to - block.first + 1);
  for (const item of rest) item.hidden = !theatre.unfoldedTexts;
  if (theatre.unfoldedTexts) return;
  const more = make("button", { type: "button", class: "more", "aria-label": "Show the whole docstring", title: "Show the whole docstring" }, "…");
  more.addEventListener("click", () => { theatre.unfoldedTexts = true; showPass(theatre.number, { still: true }); });
  $(".text", items[from - block.first]).append(" ", more);
}
const lineState = (own) => (!own ? "" : own.raised || own.effects.some((one) => one.again) ? "harm" : ["held", "now", "read"].find((one) => own.states.has(one)) ?? "");

function markOf(which, pass, line, own, state) {
  const names = own.operations.map((number) => executions[which].operations[number].name);
  const said = own.raised ? [`raises ${own.raised}`] : own.effects.some((one) => one.again) ? ["effect again"] : [];
  const text = `line ${line}: ${[...said, ...[...own.states].map((one) => STATES[one])].join(", ")} ${shorten(names.join(", "), 120)}`;
  const name = state === "harm" ? [...own.states][0] ?? (own.raised ? "bad" : "again") : state;
  return make("button", { type: "button", class: `mark is-${state || "now"}`, "aria-label": visible(text), title: visible(text), onfocus: () => joinLine(which, line), onblur: unjoin, onclick: () => own.operations.length && pick(which, own.operations[0]) }, icon(name || "now"));
}

function tagsOf(own, count) {
  const tags = [];
  if (count > 1) tags.push(make("span", { class: "tag", title: `ran ${count} times in this invocation` }, `×${count.toLocaleString("en")}`));
  if (own) {
    const again = own.effects.filter((one) => one.again).length;
    if (again) tags.push(make("span", { class: "tag harm" }, icon("again"), again > 1 ? `${again} effects again` : "effect again"));
    else if (own.effects.length) tags.push(make("span", { class: "tag", title: own.effects.map((one) => one.what).join(", ") }, icon("effect"), own.effects.length > 1 ? `${own.effects.length} effects` : "effect"));
    if (own.raised) tags.push(make("span", { class: "tag harm" }, icon("bad"), `raises ${shorten(own.raised, 34)}`));
    if (own.states.has("held")) tags.push(make("span", { class: "tag held" }, "suspended"));
  }
  return tags.length ? make("span", { class: "tags" }, ...tags) : null;
}

const WORDS = /(#.*$)|("""(?:.*?"""|.*$)|[rbf]*"(?:[^"\\]|\\.)*"|[rbf]*'(?:[^'\\]|\\.)*')|\b(def|return|if|elif|else|for|while|in|not|and|or|is|try|except|finally|raise|with|as|lambda|from|import|class|pass|break|continue|None|True|False|async|await|yield|match|case)\b/g;
/** Return a line of Python as text with comments, strings, and keywords set apart. */
function colored(line) {
  const parts = [];
  let last = 0;
  for (const match of line.matchAll(WORDS)) {
    parts.push(visible(line.slice(last, match.index)), make("span", { class: match[1] ? "c" : match[2] ? "s" : "k" }, visible(match[0])));
    last = match.index + match[0].length;
  }
  return [...parts, visible(line.slice(last)) || "\u00a0"];
}

function pastOf(which, pass) {
  const execution = executions[which];
  const list = make("ol", { tabindex: 0, "aria-label": "History" });
  const entries = execution.operations.map((operation, number) => ({ operation, number, state: stateIn(execution, number, pass) })).filter((one) => one.state);
  entries.sort((a, b) => a.operation.begun - b.operation.begun);
  let n = 0;
  while (n < entries.length) {
    let end = n;
    while (end < entries.length && entries[end].state === "read") end++;
    if (end - n > FOLD_ABOVE && !theatre.unfolded) {
      list.append(...entries.slice(n, n + 3).map((one) => pastEntry(which, pass, one)), foldOf(which, pass, end - n - 6), ...entries.slice(end - 3, end).map((one) => pastEntry(which, pass, one)));
      n = end;
    } else list.append(pastEntry(which, pass, entries[n++]));
  }
  const panel = make("div", { class: "panel past", role: "group", "aria-label": "History so far" }, make("h3", {}, "History at the end of this invocation"));
  panel.append(entries.length ? list : make("p", { class: "empty" }, "Nothing is recorded yet."));
  return panel;
}

function foldOf(which, pass, count) {
  return make("li", { class: "fold-of" }, make("button", { type: "button", onclick: () => { theatre.unfolded = true; showPass(theatre.number, { still: true }); } }, `… ${count.toLocaleString("en")} more, read back`));
}

function pastEntry(which, pass, { operation, number, state }) {
  const names = { read: "read", now: "now", held: "held", harm: "again", open: "open" };
  const hasEnded = operation.ended !== null && operation.ended < pass.after;
  const isFailed = hasEnded && state === "now" && toneOf(operation.status) === "bad";
  const value = !hasEnded ? null : operation.error ? errorOf(operation.error) : operation.result;
  const button = make(
    "button", { type: "button", onclick: () => pick(which, number), onfocus: () => joinOperation(which, number), onblur: unjoin },
    make("span", { class: `is-${state}` }, icon(isFailed ? "bad" : state === "now" && !hasEnded ? "open" : names[state])),
    make("span", { class: "label" }, visible(operation.name)),
    make("span", { class: `state is-${state}` }, state === "now" && !hasEnded ? "begun now" : STATES[state]),
    value !== null && value !== undefined ? make("span", { class: "value" }, shorten(visible(value), 160)) : null,
  );
  const item = make("li", { class: state, "data-operation": number, style: { "--depth": Math.min(operation.depth, 5) } }, button);
  item.addEventListener("pointerenter", () => joinOperation(which, number));
  item.addEventListener("pointerleave", unjoin);
  return item;
}

function worldOf(which, pass) {
  const { effects, operations } = executions[which];
  const panel = make("div", { class: "panel world", role: "group", "aria-label": "What the world saw" }, make("h3", {}, "What the world saw"));
  if (effects === null) panel.append(make("p", { class: "empty" }, "A history does not say. Run the scenario to see it."));
  else if (!effects.length) panel.append(make("p", { class: "empty" }, "Nothing: no call that changes something."));
  else {
    const totals = new Map();
    for (const one of effects) totals.set(one.what, [(totals.get(one.what)?.[0] ?? 0) + 1, (totals.get(one.what)?.[1] ?? 0) + (one.again > 0)]);
    panel.append(make("ul", { class: "totals" }, ...[...totals].flatMap(([what, [count, again]]) => [make("li", { class: "tag" }, `${count} × ${visible(what)}`), again ? make("li", { class: "tag harm" }, icon("again"), `${again} of them again`) : null])));
    const shown = effects.length > 60 && pass ? effects.filter((one) => one.run === pass.number) : effects;
    panel.append(make("ol", { tabindex: 0, "aria-label": "Effects in order" }, ...shown.slice(0, 200).map((one) => {
      const place = one.operation === null ? `line ${one.line ?? "?"}, outside every step` : `in step ${operations[one.operation].name}`;
      const time = pass && one.run !== null ? (one.run > pass.number ? " later" : one.run === pass.number ? " within" : "") : "";
      return make("li", { class: `${one.again ? "again" : ""}${time}` }, make("span", { class: "when" }, spell(one.at)), make("span", {}, make("span", { class: "seen", title: one.detail ? visible(one.detail) : null }, make("b", {}, visible(one.what)), one.detail ? make("span", { class: "detail" }, ` ${visible(one.detail)}`) : null), make("small", { class: "why" }, visible(place))), make("span", { class: one.again ? "is-harm" : "" }, one.again ? `${ordinal(one.again + 1)} time` : ""));
    })));
  }
  return panel;
}

/** Light up the lines of a pass, one after the other, and let its history grow with them. */
function runLines(stage, which, pass, still) {
  const order = (pass.lines ?? []).map(([line]) => line);
  const delay = still ? 0 : Math.min(LINE_DELAY, LONGEST_RUN / Math.max(1, order.length));
  const items = new Map();
  for (const item of stage.querySelectorAll(".line")) items.set(item.dataset.of, [...(items.get(item.dataset.of) ?? []), item]);
  const entries = [...stage.querySelectorAll(".past li")].filter((one) => !one.classList.contains("read"));
  const light = (line, n) => {
    for (const item of items.get(String(line)) ?? []) item.classList.add("ran");
    entries.forEach((entry) => {
      const own = executions[which].operations[entry.dataset.operation]?.line;
      if (own === line || n === order.length - 1) entry.style.removeProperty("visibility");
    });
  };
  if (!delay) return order.forEach(light);
  entries.forEach((entry) => entry.style.setProperty("visibility", "hidden"));
  if (!order.length) entries.forEach((entry) => entry.style.removeProperty("visibility"));
  order.forEach((line, n) => theatre.timers.push(setTimeout(light, delay * (n + 1), line, n)));
}

function unjoin() {
  for (const one of document.querySelectorAll(".joined")) one.classList.remove("joined");
}
function joinLine(which, line) {
  unjoin();
  const stage = theatre.stages[which];
  executions[which].operations.forEach((operation, number) => {
    if (operation.line !== line) return;
    $(`li[data-operation="${number}"]`, stage)?.classList.add("joined");
    $(`.line[data-line="${line}"]`, stage)?.classList.add("joined");
  });
}
function joinOperation(which, number) {
  unjoin();
  const stage = theatre.stages[which];
  $(`li[data-operation="${number}"]`, stage)?.classList.add("joined");
  const { line } = executions[which].operations[number];
  if (line !== null) for (const item of stage.querySelectorAll(`.line[data-of="${line}"]`)) item.classList.add("joined");
}

startTimeline();
startTheatre();
document.documentElement.dataset.ready = "true";
