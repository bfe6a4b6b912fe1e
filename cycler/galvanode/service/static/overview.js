// The overview page: every channel at a glance.

import { faultOf, get, runPath } from "./api.js";
import { Card } from "./card.js";
import { byId, chip, h, note, say } from "./dom.js";
import { fixed } from "./format.js";
import { Live } from "./live.js";
import { shell } from "./shell.js";
import { StartDialog } from "./start.js";
import { FINISHED } from "./vocabulary.js";

/** @import { Analysis, ChamberState, ChannelState, LiveMessage, Run, RunList } from "station" */
/** @import { LastRun } from "./card.js" */

/** @type {[string, number | null][]} */
const WINDOWS = [["1 h", 3600], ["10 h", 36000], ["100 h", 360000], ["All", null]];

const bar = shell();
/** @type {Map<string, Card>} */
const cards = new Map();
/** @type {Map<string, LastRun>} */
const lastRuns = new Map();
const dialog = new StartDialog();
const live = new Live(onLive, (connected) => bar.link(connected), () => onEvery((card) => card.reload()));
/** @type {ChannelState[]} */
let channels = [];
/** @type {string | null} */
let stampOfRuns = null;

bar.actions.append(h("button", { class: "primary", text: "Start a run", onclick: () => dialog.open(channels) }));

for (const [name, seconds] of WINDOWS) {
  const input = h("input", { type: "radio", name: "window", checked: seconds === null, onchange: () => {
    onEvery((card) => card.setWindow(seconds));
  } });
  byId("window").append(h("label", {}, input, h("span", { text: name })));
}
document.addEventListener("themechange", () => onEvery((card) => card.plot.draw()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => onEvery((card) => card.plot.draw()));

/** @param {(card: Card) => void} act */
function onEvery(act) {
  for (const card of cards.values()) act(card);
}

/** @param {LiveMessage} message */
function onLive({ status, runs }) {
  bar.update(status);
  if (status.channels.length || status.available) channels = status.channels;
  showChambers(status.chambers);
  showSummary(channels);
  const list = byId("channels");
  list.dataset.count = String(channels.length);
  const names = new Set(channels.map((channel) => channel.name));
  for (const [name, card] of cards) if (!names.has(name)) { card.element.remove(); cards.delete(name); }
  for (const channel of channels) {
    let card = cards.get(channel.name);
    if (!card) {
      card = new Card(channel.name, (name) => dialog.open(channels, name));
      cards.set(channel.name, card);
      list.append(card.element);
    }
    card.update(channel, lastRuns.get(channel.name));
    const points = channel.run && card.run === channel.run ? runs[channel.run] : null;
    if (points) card.points(points);
  }
  const waiting = channels.filter((channel) => channel.state === "waiting").length;
  document.title = `${waiting ? `(${waiting}) ` : ""}Galvanode: overview`;
  live.subscribe(channels.flatMap((channel) => channel.run ?? []));
  const stamp = channels.map((channel) => channel.run ?? "").join();
  if (stamp !== stampOfRuns) {
    stampOfRuns = stamp;
    loadLastRuns();
  }
}

/** The newest finished run of every idle channel, with what it found. */
async function loadLastRuns() {
  const idle = channels.filter((channel) => !channel.run);
  try {
    for (const channel of idle) {
      /** @type {RunList} */
      const { runs } = await get(`/api/runs?limit=1&channel=${encodeURIComponent(channel.name)}`);
      /** @type {(Run & LastRun) | undefined} */
      const run = runs[0];
      if (!run) continue;
      lastRuns.set(channel.name, run);
      if (!FINISHED.has(run.state)) stampOfRuns = null; // its last commit is on the way: look again
      else if (run.analyses.length && run.samples) run.results = await resultsOf(run.id);
    }
  } catch (thrown) {
    const fault = faultOf(thrown);
    if (fault.status !== 503) note(fault.message, true);
    stampOfRuns = null;
  }
}

/**
 * @param {string} run
 * @returns {Promise<Analysis["results"]>}
 */
async function resultsOf(run) {
  /** @type {Analysis} */
  const { results } = await get(runPath(run, "/analysis"));
  return results;
}

/** @param {ChannelState[]} all */
function showSummary(all) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { state } of all) counts.set(state, (counts.get(state) ?? 0) + 1);
  const text = [...counts].map(([state, number]) => `${number} ${state}`).join(", ");
  const place = byId("summary");
  if (place.dataset.text === text) return;
  place.dataset.text = text;
  place.replaceChildren(...[...counts].map(([state, number]) => h("span", { class: "tally" }, chip(state), h("b", { text: number }))));
}

/** @param {ChamberState[]} chambers */
function showChambers(chambers) {
  const place = byId("chambers");
  for (const chamber of chambers) {
    let entry = [...place.querySelectorAll("div")].find((child) => child.dataset.name === chamber.name);
    if (!entry) {
      entry = h("div", { class: "chamber", role: "listitem", dataset: { name: chamber.name } },
        h("span", { class: "name", text: chamber.name }), h("b", {}), h("span", { class: "set" }), h("span", { class: "alarm" }));
      place.append(entry);
    }
    const [, value, set, alarm] = entry.children;
    say(value, `${fixed(chamber.temperature_degC, 1)} °C`);
    say(set, chamber.setpoint_degC === null ? "" : `set ${fixed(chamber.setpoint_degC, 1)} °C`);
    const trouble = chamber.alarm ?? (chamber.ok ? "" : "no answer");
    say(alarm, trouble ? `⚠ ${trouble}` : "✓ ok");
    entry.classList.toggle("fault", trouble !== "");
  }
}
