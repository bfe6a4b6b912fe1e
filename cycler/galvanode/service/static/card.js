// One channel: what it does, what it reads, its plot, its buttons.

import { get, overview, runPath, CURRENT, VOLTAGE } from "./api.js";
import { chip, h, say, shape } from "./dom.js";
import { clock, densityParts, count, reason, result, siParts, temperatureParts, voltageParts, words } from "./format.js";
import { Plot, Series } from "./plot.js";
import { command } from "./shell.js";

/** @import { ChannelState, Maybe, Points, Run, Shown } from "station" */
/** @typedef {Pick<Run, "id" | "title" | "recipe_name" | "cell_name" | "state" | "end_reason" | "test_time_s" | "samples"> & {results?: import("station").Analysis["results"]}} LastRun */

const POINTS = 1000;

export class Card {
  /**
   * @param {string} name
   * @param {(channel: string) => void} onstart opens the dialog that starts a run
   */
  constructor(name, onstart) {
    this.name = name;
    /** @type {string | null} */
    this.run = null;
    /** @type {number | null} */
    this.window = null;
    this.series = new Series(POINTS);
    /** @type {object | null} */
    this.loading = null;
    /** @type {Points[]} */
    this.waiting = [];
    this.awaiting = false;
    this.isLive = false;
    this.paused = false;
    /** @type {LastRun | null} */
    this.seen = null;
    /** @type {Record<string, [HTMLElement, HTMLElement]>} */
    this.values = {};
    this.state = h("span", { class: "state" });
    this.asked = h("span", {});
    this.asking = h("a", { class: "asking", hidden: true }, shape("waiting"), this.asked);
    this.elapsed = h("span", { class: "elapsed", title: "Test time" });
    this.title = h("a", { class: "title" });
    this.detail = h("p", { class: "detail" });
    this.progress = h("progress", { max: 1, "aria-label": `Progress of ${name}` });
    this.step = h("span", { class: "step" });
    this.samples = h("span", { class: "samples" });
    this.message = h("p", { class: "message" });
    this.canvas = h("canvas", { role: "img", "aria-label": `Voltage and current of ${name} over time` });
    this.pause = h("button", { text: "Pause", onclick: () => this.toggle() });
    /** @type {HTMLButtonElement} */
    this.stop = h("button", { class: "danger-quiet", text: "Stop", onclick: () => command(this.run, "stop", this.stop) });
    this.start = h("button", { class: "primary", text: "Start a run", onclick: () => onstart(name) });
    this.element = h("article", { class: "card", role: "listitem", "aria-labelledby": `name-${name}` },
      h("header", {}, h("h2", { id: `name-${name}`, text: name }), this.state, this.elapsed),
      h("div", { class: "what" }, this.title, this.detail), this.asking,
      h("dl", { class: "readings" },
        this.reading("voltage", "Voltage"), this.reading("current", "Current"),
        this.reading("density", "Current density", true), this.reading("temperature", "Temperature", true)),
      h("div", { class: "place" }, this.progress, h("p", {}, this.step, this.samples)),
      this.canvas,
      h("footer", {}, this.message, h("div", { class: "buttons" }, this.pause, this.stop, this.start)));
    this.plot = new Plot(this.canvas, this.series);
  }

  /**
   * @param {string} key
   * @param {string} label
   */
  reading(key, label, isClear = false) {
    const value = h("b", {});
    const unit = h("span", { class: "unit" });
    this.values[key] = [value, unit];
    // The unit stands over the number, which leaves the number its room; some units say what they measure.
    return h("div", { class: key }, h("dt", { title: label }, h("span", { class: isClear ? "hidden" : "label", text: label }), " ", unit), h("dd", {}, value));
  }

  /**
   * @param {string} key
   * @param {Shown} shown
   */
  show(key, [number, unit]) {
    say(this.values[key][0], number);
    this.values[key][0].classList.toggle("long", number.length > 6);
    say(this.values[key][1], unit);
  }

  toggle() {
    command(this.run, this.paused ? "resume" : "pause", this.pause);
  }

  /**
   * Take over the channel's state; its newest run is shown while it is idle.
   * @param {ChannelState} channel
   * @param {LastRun | undefined} newest
   */
  update(channel, newest) {
    const busy = channel.run !== null;
    const last = this.lastRun(channel, newest);
    const shown = busy ? channel.run : (last?.id ?? null);
    this.paused = channel.state === "paused";
    if (this.element.dataset.state !== channel.state) {
      this.element.dataset.state = channel.state;
      this.state.replaceChildren(chip(channel.state));
    }
    say(this.elapsed, clock(busy ? channel.test_time_s : last?.test_time_s));
    say(this.title, busy ? channel.title ?? "" : last ? last.title : "No run yet");
    if (shown) this.title.setAttribute("href", `/runs/${shown}`);
    const recipe = busy ? [channel.recipe, channel.cell] : last ? [last.recipe_name, last.cell_name] : [];
    const names = recipe.filter((name) => typeof name === "string" && name !== "").map((name) => bare(name ?? ""));
    say(this.detail, [...names.reverse(), ...(shown ? [shown] : [])].join(" · ") || (channel.idn ?? channel.resource ?? ""));
    this.detail.title = [channel.idn, channel.resource].filter(Boolean).join("\n");
    this.ask(channel);
    this.show("voltage", voltageParts(channel.voltage_V));
    this.show("current", siParts(channel.current_A, "A"));
    this.show("density", densityParts(channel.current_density_mA_cm2));
    this.show("temperature", temperatureParts(channel.temperature_degC));
    if (busy && channel.progress !== null) this.progress.value = channel.progress;
    else if (busy) this.progress.removeAttribute("value");
    else this.progress.value = last ? 1 : 0;
    this.progress.title = channel.progress === null ? "" : `${(100 * channel.progress).toFixed(1)} %`;
    say(this.step, busy ? place(channel) : last ? ended(last) : "");
    say(this.samples, `${count(busy ? channel.samples : last?.samples)} samples`);
    this.samples.hidden = !shown;
    this.tell(channel, busy, last);
    this.stop.hidden = !busy;
    this.pause.hidden = !busy || channel.state === "waiting";
    this.start.hidden = busy || channel.state !== "idle";
    say(this.pause, this.paused ? "Resume" : "Pause");
    if (shown !== this.run) this.follow(shown, busy);
    else if (this.isLive && !busy && newest?.id === shown) {
      this.isLive = false; // it has just ended: its last samples came after the stream's last word
      this.reload();
    }
  }

  /**
   * The mark of a run that waits for its operator; it leads to where the answer is given.
   * @param {ChannelState} channel
   */
  ask(channel) {
    const isWaiting = channel.state === "waiting";
    this.asking.hidden = !isWaiting;
    if (!isWaiting) return;
    this.asking.setAttribute("href", `/runs/${channel.run}#answer`);
    say(this.asked, `Waiting for you${channel.question ? `: ${channel.question.message}` : ""}`);
    this.asking.title = this.asked.textContent;
  }

  /**
   * The newest run that is known: until the station tells how a run ended, what was seen of it.
   * @param {ChannelState} channel
   * @param {LastRun | undefined} newest
   */
  lastRun(channel, newest) {
    if (channel.run !== null) {
      this.seen = {
        id: channel.run, title: channel.title ?? "", recipe_name: channel.recipe ?? "", cell_name: channel.cell ?? "", state: "ended",
        end_reason: null, test_time_s: channel.test_time_s, samples: channel.samples,
      };
    }
    return this.seen && (!newest || newest.id.localeCompare(this.seen.id, "en", { numeric: true }) < 0) ? this.seen : newest;
  }

  /**
   * The footer's words: what is wrong, or else what the last run found.
   * @param {ChannelState} channel
   * @param {boolean} busy
   * @param {Maybe<LastRun>} last
   */
  tell(channel, busy, last) {
    // The first figure that comes with an interval is what the run was for; else simply the first figure.
    const figures = busy ? [] : Object.entries(last?.results ?? {}).filter(([, each]) => typeof each.value === "number" && each.unit !== "1");
    const headline = figures.find(([, each]) => typeof each.low === "number") ?? figures[0];
    const found = headline ? [headline] : [];
    const results = found.map(([name, value]) => `${words(name)}: ${result({ value: value.value, unit: value.unit })}`).join(" · ");
    const isBad = channel.state === "unsafe" || channel.state === "lost";
    say(this.message, isBad || busy ? channel.message ?? "" : results || channel.message || "");
    this.message.classList.toggle("fault", isBad);
    this.message.classList.toggle("found", !isBad && !busy && results !== "");
    this.message.title = this.message.textContent;
  }

  /**
   * Show another run's plot. What a run under way has behind it is fetched once the stream has begun.
   * @param {string | null} run
   * @param {boolean} isLive
   */
  follow(run, isLive) {
    this.run = run;
    this.isLive = isLive;
    this.series.clear();
    this.plot.draw();
    this.reload();
  }

  /** Fetch everything anew: at once for a run that has ended, with the stream's next word for one under way. */
  reload() {
    this.awaiting = this.isLive;
    if (this.run && !this.isLive) this.load();
  }

  /** @param {number | null} seconds */
  setWindow(seconds) {
    this.window = seconds;
    if (this.run) this.load();
  }

  /** Fetch what was before; what comes meanwhile through the live stream waits for it. */
  async load() {
    const run = this.run;
    if (run === null) return;
    const ticket = {};
    this.loading = ticket;
    this.waiting = [];
    try {
      /** @type {number | undefined} */
      let start;
      if (this.window !== null) {
        const { test_time_s: end } = await get(runPath(run));
        start = Math.max(0, (end ?? 0) - this.window);
      }
      const { time, columns } = await overview(run, { points: POINTS, start });
      if (this.loading !== ticket || this.run !== run) return;
      this.series.clear();
      this.series.append(time, columns[VOLTAGE], columns[CURRENT]);
      for (const points of this.waiting) this.add(points);
    } catch {
      // The station is away or busy: the stream goes on, and the next reconnect loads again.
      for (const points of this.waiting) this.add(points);
    } finally {
      if (this.loading === ticket) this.loading = null;
      this.plot.draw();
    }
  }

  /**
   * New points of the run from the live stream.
   * @param {Points} points
   */
  points(points) {
    if (this.awaiting) {
      this.awaiting = false;
      this.load();
    }
    if (this.loading) this.waiting.push(points);
    else {
      this.add(points);
      this.plot.draw();
    }
  }

  /** @param {Points} points */
  add(points) {
    this.series.append(points.time_s, points.voltage_V, points.current_A);
    if (this.window !== null) this.series.from(this.series.last - this.window);
  }
}

/**
 * `/some/where/ccd.yaml` is `ccd` to a person.
 * @param {string} name
 */
export const bare = (name) => name.slice(name.lastIndexOf("/") + 1).replace(/\.ya?ml$/, "");

/** @param {ChannelState} channel */
function place(channel) {
  const parts = [];
  if (channel.cycle) parts.push(`cycle ${count(channel.cycle)}`);
  if (channel.state === "waiting") parts.push("output off");
  else if (channel.step_name) parts.push(`${words(channel.step_name)} ${clock(channel.step_time_s)}`);
  if (channel.step_count) parts.push(`step ${count(channel.step_count)}`);
  return parts.join(" · ");
}

/** @param {LastRun} run */
const ended = (run) => `${words(run.state)}${run.end_reason ? `: ${reason(run.end_reason)}` : ""}`;
