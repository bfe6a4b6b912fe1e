// One run: its plot, which asks for more where it is zoomed, its steps, events, results and files.

import { faultOf, get, overview, runPath, CURRENT, TEMPERATURE, VOLTAGE } from "./api.js";
import { Ask } from "./ask.js";
import { bare } from "./card.js";
import { byId, chip, h, note, say } from "./dom.js";
import { clock, count, densityParts, duration, fixed, moment, pretty, reason, result, si, timeUnit, voltageParts, words } from "./format.js";
import { Live } from "./live.js";
import { colours } from "./plot.js";
import { command, shell } from "./shell.js";
import { FINISHED } from "./vocabulary.js";

/** @import { Analysis, AnalysisPlot, ChannelState, EventList, Maybe, PlotElement, RunDetail, RunEvent, StepTable } from "station" */
/** @typedef {[start: number, end: number]} Range in s */

const POINTS = 4000;
const STEPS = 500;
const REFRESH_MS = 3000;

const id = decodeURIComponent(location.pathname.slice(location.pathname.lastIndexOf("/") + 1));
const bar = shell();
const main = byId("run");
document.title = `Galvanode: ${id}`;

/** @type {RunDetail} as the station told it last; the page begins once it has */
let run;
/** @type {Range | null} null: everything */
let zoom = null;
let ticket = 0;
let divisor = 1; // s per unit of the plot's time axis
let ignoreRelayout = false;

const state = h("span", {});
const facts = h("dl", { class: "facts" });
const plot = /** @type {PlotElement} */ (h("div", { id: "plot", class: "plot" }));
const reset = h("button", { text: "Show everything", hidden: true, onclick: () => setZoom(null) });
/** @type {HTMLInputElement} */
const temperature = h("input", { type: "checkbox", onchange: () => draw() });
const results = h("div", { class: "results" });
const trends = h("div", { class: "trends" });
const steps = h("div", { class: "scroll tall" });
const events = h("div", { class: "scroll tall" });
/** @type {HTMLButtonElement} */
const pause = h("button", { text: "Pause", hidden: true, onclick: () => command(id, run.state === "paused" ? "resume" : "pause", pause).then(refresh) });
/** @type {HTMLButtonElement} */
const stop = h("button", { class: "danger-quiet", text: "Stop", hidden: true, onclick: () => command(id, "stop", stop).then(refresh) });
const title = h("h1", { text: id });
const subtitle = h("p", { class: "detail" });
const texts = h("div", { class: "texts" });
const ask = new Ask(id, () => refresh());
/** @type {string | null} the state that the live stream told last */
let lived = null;

function layout() {
  /**
   * @param {string} name
   * @param {...HTMLElement} children
   */
  const panel = (name, ...children) => h("section", { class: "panel", "aria-label": name }, h("h2", { text: name }), ...children);
  /**
   * @param {string} format
   * @param {string} text
   */
  const link = (format, text) => h("a", { class: "button", href: runPath(id, `/export?format=${format}`), download: "", text });
  main.append(
    h("div", { class: "heading" }, h("div", {}, title, subtitle), state, h("div", { class: "buttons" }, pause, stop)),
    ask.announcement, ask.element,
    facts,
    h("section", { class: "panel", "aria-label": "Plot" },
      h("div", { class: "plot-bar" }, h("h2", { text: "Voltage and current" }),
        h("span", { class: "detail", text: "drag to zoom, double-click to go back" }), reset,
        h("label", { class: "check" }, temperature, " temperature")),
      plot),
    panel("Results", h("div", { class: "findings" }, results, trends)),
    h("div", { class: "two" }, panel("Steps", steps), panel("Events", events)),
    panel("Take away", h("p", { class: "detail", text: "Battery Data Format opens in bdf, navani and PyProBE; the CSV in cellpy; Battery Archive in BEEP." }),
        h("div", { class: "buttons left" }, link("bdf", "BDF Parquet"), link("bdf-csv", "BDF CSV"), link("battery-archive", "Battery Archive CSV")),
      texts));
}

async function refresh() {
  try {
    run = await get(runPath(id));
  } catch (thrown) {
    const fault = faultOf(thrown);
    if (fault.status === 404) main.replaceChildren(h("h1", { text: "No such run" }), h("p", { text: fault.message }));
    else if (fault.status !== 503) note(fault.message, true);
    return false;
  }
  say(title, run.title);
  say(subtitle, [run.id, run.channel, bare(run.recipe_name), bare(run.cell_name)].join(" · "));
  if (state.dataset.state !== run.state) {
    state.dataset.state = run.state;
    state.replaceChildren(chip(run.state));
  }
  const live = !FINISHED.has(run.state);
  pause.hidden = !["running", "paused"].includes(run.state);
  stop.hidden = !live;
  say(pause, run.state === "paused" ? "Resume" : "Pause");
  document.title = `${run.state === "waiting" ? "(!) " : ""}Galvanode: ${id}`;
  if (lived === null || !live) ask.update(run.question, null);
  showFacts();
  return true;
}

/** @param {ChannelState | null} channel */
function showFacts(channel = null) {
  /** @type {[string, string][]} */
  const parameters = Object.entries(run.parameters).map(([name, value]) => [words(name), pretty(value)]);
  const area = run.area_m2 === null ? null : `${fixed(run.area_m2 * 1e4, 3)} cm²`;
  /** @type {(Maybe<[string, string]>)[]} */
  const told = [
    ["Test time", clock(channel?.test_time_s ?? run.test_time_s)],
    ["Samples", count(channel?.samples ?? run.samples)],
    ["Started", `${moment(run.started_unix_s ?? run.created_unix_s)} UTC`],
    run.ended_unix_s === null ? null : ["Ended", `${moment(run.ended_unix_s)} UTC`],
    run.end_reason ? ["How it ended", reason(run.end_reason)] : null,
    channel ? ["Voltage", voltageParts(channel.voltage_V).join(" ")] : null,
    channel ? ["Current", si(channel.current_A, "A")] : null,
    channel ? ["Current density", densityParts(channel.current_density_mA_cm2).join(" ")] : null,
    channel ? ["Now", channel.state === "waiting" ? "waiting for you" : [channel.cycle ? `cycle ${count(channel.cycle)}` : "", words(channel.step_name ?? ""), clock(channel.step_time_s)].filter(Boolean).join(" · ")] : null,
    ["Cell area", area ?? "–"],
    ["Instrument", run.instrument || "–"],
    ["Clock", run.speed === "max" ? "simulated, full speed" : run.speed === 1 ? "real time" : `× ${run.speed}`],
    ...parameters,
  ];
  const entries = told.flatMap((entry) => (entry ? [entry] : []));
  const stamp = JSON.stringify(entries);
  if (facts.dataset.stamp === stamp) return;
  facts.dataset.stamp = stamp;
  facts.replaceChildren(...entries.map(([name, value]) => h("div", {}, h("dt", { text: name }), h("dd", { text: value, title: value }))));
}

function look() {
  const c = colours(document.body);
  const axis = { gridcolor: c.grid, zerolinecolor: c.axis, linecolor: c.axis, tickcolor: c.axis, automargin: true };
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: "system-ui, sans-serif", size: 12, color: c.text },
    margin: { l: 76, r: 16, t: 8, b: 40 }, showlegend: false, hovermode: "x unified",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: c.muted, activecolor: c.accent },
    hoverlabel: { bgcolor: c.panel, bordercolor: c.axis, font: { color: c.text } },
  };
  return { c, axis, layout };
}

// Nothing leaves this station: no button that sends a chart anywhere.
const OFFLINE = { displaylogo: false, responsive: true, plotlyServerURL: "", showSendToCloud: false, showEditInChartStudio: false };
const CONFIG = { ...OFFLINE, doubleClick: false, modeBarButtonsToRemove: ["sendChartToCloud", "lasso2d", "select2d", "autoScale2d", "resetScale2d"] };

async function draw() {
  const mine = ++ticket;
  const columns = [VOLTAGE, CURRENT, ...(temperature.checked ? [TEMPERATURE] : [])];
  /** @type {import("station").Thinned} */
  let data;
  try {
    data = await overview(id, { points: POINTS, columns, start: zoom?.[0], end: zoom?.[1] });
  } catch (thrown) {
    const fault = faultOf(thrown);
    if (fault.status !== 503) note(fault.message, true);
    return;
  }
  if (mine !== ticket) return;
  const { c, axis, layout: common } = look();
  /** @type {Record<string, unknown>} */
  const layout = { ...common };
  const span = data.time.length ? data.time[data.time.length - 1] - data.time[0] : 1;
  const [seconds, unit] = timeUnit(span);
  const x = data.time.map((value) => value / seconds);
  const rows = [[VOLTAGE, "V", c.voltage, "linear"], [CURRENT, "A", c.current, "hv"], [TEMPERATURE, "°C", c.temperature, "linear"]].filter(([name]) => columns.includes(name));
  /** @type {Range[]} */
  const heights = rows.length === 2 ? [[0.4, 1], [0, 0.36]] : [[0.52, 1], [0.24, 0.48], [0, 0.2]];
  const traces = rows.map(([name, unitY, colour, shape], index) => ({
    type: "scatter", mode: "lines", x, y: data.columns[name], name: name.split(" / ")[0],
    line: { color: colour, width: 1.5, shape: shape === "hv" ? "hv" : "linear" },
    xaxis: "x", yaxis: index ? `y${index + 1}` : "y",
    hovertemplate: unitY === "°C" ? "%{y:.2f} °C" : `%{y:.4~s}${unitY}`, connectgaps: false,
  }));
  layout.xaxis = { ...axis, title: { text: `Test time / ${unit}` }, anchor: `y${rows.length}`, zeroline: false };
  rows.forEach(([name, unitY], index) => {
    layout[index ? `yaxis${index + 1}` : "yaxis"] = {
      ...axis, domain: heights[index], title: { text: name.split(" / ")[0].replace("Ambient ", ""), standoff: 12 }, zeroline: true, fixedrange: true,
      ...(unitY === "°C" ? {} : { tickformat: "~s", ticksuffix: unitY, hoverformat: ".4~s" }),
    };
  });
  divisor = seconds;
  ignoreRelayout = true;
  await window.Plotly.react(plot, traces, layout, CONFIG);
  ignoreRelayout = false;
  reset.hidden = zoom === null;
}

/** @param {Range | null} range */
function setZoom(range) {
  zoom = range;
  draw();
}

/**
 * A step's time with some before and after; one that has no end yet is shown as far as it is.
 * @param {number} start
 * @param {number | null} end
 * @returns {Range}
 */
function around(start, end) {
  const margin = 0.15 * ((end ?? start + 60) - start);
  return [Math.max(0, start - margin), (end ?? run.test_time_s ?? start + 60) + margin];
}

async function showSteps() {
  /** @type {StepTable} */
  const table = await get(runPath(id, `/steps?limit=${STEPS}`));
  const { columns } = table;
  /** @type {HTMLTableRowElement[]} */
  const rows = [];
  for (let i = table.count - 1; i >= 0; i--) {
    const [start, end] = [columns.started_test_time_s[i], columns.ended_test_time_s[i]];
    const setpoint = columns.setpoint[i];
    const to = h("button", { class: "link", text: count(columns.step_count[i]), title: "Show in the plot",
      onclick: () => setZoom(around(start, end)) });
    rows.push(h("tr", {},
      h("td", { class: "number" }, to),
      h("td", { class: "number", text: count(columns.cycle[i]) }),
      h("td", { text: words(columns.name[i]) }),
      h("td", { class: "number nowrap", text: setpoint === null ? "" : si(setpoint, columns.mode[i] === "voltage" ? "V" : "A") }),
      h("td", { class: "number nowrap", text: clock(start) }),
      h("td", { class: "number nowrap", text: end === null ? "" : duration(end - start) }),
      h("td", { text: reason(columns.end_reason[i] ?? "under way") + (columns.attempt[i] > 1 ? ` (attempt ${columns.attempt[i]})` : "") })));
  }
  if (table.total > table.count) rows.push(h("tr", {}, h("td", { colspan: 7, class: "detail", text: `${count(table.total - table.count)} earlier steps are in the exports and under /api.` })));
  steps.replaceChildren(h("table", { class: "list" },
    h("thead", {}, h("tr", {}, ...["Step", "Cycle", "Name", "Set", "Start", "Took", "Why it ended"].map((name) => h("th", { scope: "col", class: ["Name", "Why it ended"].includes(name) ? null : "number", text: name })))),
    h("tbody", {}, ...rows)));
}

async function showEvents() {
  /** @type {EventList} */
  const { events: found } = await get(runPath(id, "/events"));
  events.replaceChildren(h("table", { class: "list" },
    h("thead", {}, h("tr", {}, ...["Test time", "Time (UTC)", "What", ""].map((name) => h("th", { scope: "col", text: name })))),
    h("tbody", {}, ...found.reverse().map((event) => h("tr", { dataset: { kind: event.kind } },
      h("td", { class: "nowrap", text: clock(event.test_time_s) }),
      h("td", { class: "nowrap", text: moment(event.unix_time_s) }),
      h("td", { class: "nowrap", text: words(event.kind) }),
      h("td", {}, reason(told(event)), photo(event)))))));
}

/**
 * The name of the photo that an event is about, if it is about one.
 * @param {RunEvent} event
 * @returns {string | null}
 */
const photoOf = ({ details }) => (typeof details.attachment === "string" ? details.attachment : null);

/**
 * What happened, in words; a photo's long name says nothing to people.
 * @param {RunEvent} event
 */
function told(event) {
  const name = photoOf(event);
  return name === null ? event.message : event.message.replace(` ${name}`, "");
}

/**
 * The photo that answered a question, small; it opens whole.
 * @param {RunEvent} event
 */
function photo(event) {
  const name = photoOf(event);
  if (name === null) return null;
  const address = runPath(id, `/attachments/${encodeURIComponent(name)}`);
  return h("a", { class: "photo", href: address, target: "_blank", rel: "noopener" }, h("img", { src: address, alt: told(event), loading: "lazy" }));
}

async function showResults() {
  /** @type {Analysis} */
  const { analyses, problem, results: found, plots } = await get(runPath(id, "/analysis"));
  const entries = Object.entries(found);
  if (entries.length === 0) {
    results.replaceChildren(h("p", { class: "detail", text: problem ?? (analyses.length ? "No result yet." : "The recipe asks for no analysis.") }));
  } else {
    results.replaceChildren(h("table", { class: "figures" }, h("tbody", {}, ...entries.map(([name, value]) =>
      h("tr", {}, h("th", { scope: "row", text: words(name) }), h("td", { text: result(value) }))))));
  }
  for (const each of plots) await showTrend(each);
}

/**
 * The plot of an analysis: one line per unit and name, a second axis where there are two units.
 * @param {AnalysisPlot} analysis
 */
async function showTrend({ name, title: caption, x, y, equal_axes: equal, log_x: logX, log_y: logY }) {
  if (!y.some((line) => (line.x ?? x.values).length > 0)) return;
  let place = document.getElementById(`trend-${name}`);
  if (!place) {
    place = h("div", { id: `trend-${name}`, class: "plot small" });
    trends.append(h("figure", {}, h("figcaption", { text: caption }), place));
  }
  const { c, axis, layout } = look();
  const units = [...new Set(y.map((line) => line.unit))];
  const palette = [c.voltage, c.current, c.temperature, c.muted];
  const traces = y.map((line, index) => ({
    type: "scatter", mode: line.markers ? "markers" : "lines", name: line.name, x: line.x ?? x.values, y: line.values,
    yaxis: line.unit === units[0] ? "y" : "y2", marker: { color: palette[index % palette.length], size: 7 },
    line: { color: palette[index % palette.length], width: 1.4, dash: index && !equal ? "dot" : "solid" },
    hovertemplate: `%{y:.4~g} ${pretty(line.unit)}<extra>${line.name}</extra>`,
  }));
  await window.Plotly.react(place, traces, {
    ...layout, showlegend: true, legend: { orientation: "h", y: 1.14, x: 0 }, margin: { l: 56, r: 48, t: 8, b: 36 },
    xaxis: { ...axis, title: { text: `${x.name} / ${pretty(x.unit)}` }, zeroline: false, ...(logX ? { type: "log" } : {}) },
    yaxis: { ...axis, title: { text: pretty(units[0]), standoff: 8 }, ...(logY ? { type: "log" } : {}), ...(equal ? { scaleanchor: "x" } : {}) },
    ...(units.length > 1 ? { yaxis2: { ...axis, overlaying: "y", side: "right", tickmode: "auto", showgrid: false, zeroline: false, title: { text: pretty(units[1]) } } } : {}),
  }, { ...OFFLINE, displayModeBar: false });
}

function showTexts() {
  texts.replaceChildren(
    h("details", {}, h("summary", { text: `Recipe: ${bare(run.recipe_name)}` }), h("pre", { text: run.recipe_text })),
    h("details", {}, h("summary", { text: `Cell: ${bare(run.cell_name)}` }), h("pre", { text: run.cell_text })));
}

async function showAll() {
  const parts = await Promise.allSettled([draw(), showSteps(), showEvents(), showResults()]);
  const faults = parts.flatMap((part) => (part.status === "rejected" ? [faultOf(part.reason)] : []));
  const worst = faults.find((fault) => fault.status !== 503);
  if (worst) note(worst.message, true);
}

/** @param {Record<string, unknown>} change as Plotly tells it: both ends at once, or each by itself */
function onRelayout(change) {
  if (ignoreRelayout) return;
  const both = change["xaxis.range"];
  const [low, high] = Array.isArray(both) ? both : [change["xaxis.range[0]"], change["xaxis.range[1]"]];
  if (typeof low === "number" && typeof high === "number") setZoom([Math.max(0, low * divisor), high * divisor]);
}

async function begin() {
  layout();
  if (!(await refresh())) return;
  showTexts();
  if (location.hash === "#answer") {
    ask.element.scrollIntoView();
    ask.focus();
  }
  await showAll();
  plot.on("plotly_relayout", onRelayout);
  plot.on("plotly_doubleclick", () => setZoom(null));
  const live = new Live(({ status }) => {
    bar.update(status);
    const channel = status.channels.find((candidate) => candidate.run === id);
    if (!channel) return;
    showFacts(channel);
    // A run that waits without a question is one that the store could not tell just now: what was typed stays.
    if (status.available && (channel.question || channel.state !== "waiting")) ask.update(channel.question, status.engine?.clock_unix_s);
    if (lived !== channel.state) {
      lived = channel.state;
      refresh();
    }
  }, (connected) => bar.link(connected));
  live.subscribe([]);
  document.addEventListener("themechange", () => Promise.allSettled([draw(), showResults()]));
  let wasLive = !FINISHED.has(run.state);
  let busy = false;
  setInterval(async () => {
    if (document.hidden || !wasLive || busy) return;
    busy = true;
    try {
      if (await refresh()) {
        wasLive = !FINISHED.has(run.state);
        await (zoom === null || !wasLive ? showAll() : Promise.allSettled([showSteps(), showEvents()]));
      }
    } finally {
      busy = false;
    }
  }, REFRESH_MS);
}

begin();
