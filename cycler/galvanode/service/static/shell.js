// What every page has: the bar, the banner, stop all.

import { faultOf, post } from "./api.js";
import { byId, confirmed, h, note, say } from "./dom.js";
import { moment } from "./format.js";

/** @import { Maybe, Status, StoppedAll } from "station" */
/** @typedef {{status: Status | null, linked: boolean}} Known what the bar knows of the station */

const PAGES = [["/", "Overview"], ["/runs", "Runs"], ["/docs", "API"]];

/** Fill the bar; returns {update(status), link(connected), actions}. */
export function shell() {
  const bar = byId("bar");
  /** @type {Known} */
  const state = { status: null, linked: true };
  const engine = h("div", { class: "engine" });
  const actions = h("div", { class: "actions" });
  const stopAll = h("button", { class: "danger stop-all" });
  stopAll.addEventListener("click", () => stopEverything(stopAll, state));
  stopAll.append(h("span", { class: "stop-sign", "aria-hidden": "true" }), "Stop all");
  const here = location.pathname;
  bar.append(
    h("a", { class: "brand", href: "/" }, h("img", { src: "/static/icon.svg", alt: "", width: 26, height: 26 }), "Galvanode"),
    h("nav", { "aria-label": "Pages" }, ...PAGES.map(([path, name]) => {
      const current = path === "/" ? here === "/" : here.startsWith(path);
      return h("a", { href: path, "aria-current": current ? "page" : null, text: name });
    })),
    engine,
    actions,
    themeButton(),
    stopAll,
  );

  /** @param {Status} status */
  function update(status) {
    state.status = status;
    const { engine: now } = status;
    if (now) {
      const speed = now.speed === "max" ? "full speed" : now.speed === 1 || now.speed === null ? "real time" : `× ${now.speed}`;
      say(engine, [now.simulated ? "simulated" : null, speed, `${moment(now.clock_unix_s)} UTC`].filter(Boolean).join(" · "));
    } else say(engine, "engine unavailable");
    banner();
  }

  /** @param {boolean} connected */
  function link(connected) {
    if (state.linked === connected) return;
    state.linked = connected;
    banner();
  }

  function banner() {
    const place = byId("banner");
    let text = "";
    if (!state.linked) text = "No connection to the station. What you see is the last that was received; trying again.";
    else if (state.status && !state.status.available) {
      text = "The engine is unavailable; its supervisor makes the cells safe and restarts it. What you see is the last known state.";
    }
    say(place, text);
    document.body.classList.toggle("stale", text !== "");
  }

  return { update, link, actions };
}

/**
 * @param {HTMLButtonElement} button
 * @param {Known} state
 */
async function stopEverything(button, state) {
  const runs = state.status?.channels.filter((channel) => channel.run).length ?? 0;
  const what = runs === 1 ? "The one run under way ends" : `All ${runs} runs under way end`;
  const text = `${what}, outputs go off and are read back. A stopped run cannot be resumed.`;
  if (!(await confirmed("Stop everything?", runs === 0 ? "No run is known to be under way here; whatever the engine still runs is stopped all the same." : text, "Stop all"))) return;
  button.disabled = true;
  try {
    /** @type {StoppedAll} */
    const { stopped, not_safe } = await post("/api/stop-all");
    note(stopped.length ? `Stopped: ${stopped.join(", ")}` : "Nothing was running.");
    if (not_safe.length) note(`Not shown to be safe: ${not_safe.join(", ")}. Disconnect these cells by hand.`, true);
  } catch (fault) {
    note(`Stop all failed: ${faultOf(fault).message}`, true);
  } finally {
    button.disabled = false;
  }
}

/**
 * Pause, resume or stop a run, and say what came of it.
 * @param {Maybe<string>} run
 * @param {"pause" | "resume" | "stop"} verb
 * @param {HTMLButtonElement} button
 */
export async function command(run, verb, button) {
  if (!run) return;
  if (verb === "stop" && !(await confirmed(`Stop ${run}?`, "The run ends, the output goes off and is read back. A stopped run cannot be resumed; to go on later, pause it.", "Stop"))) return;
  button.disabled = true;
  try {
    const told = await post(`/api/runs/${encodeURIComponent(run)}/${verb}`);
    if (told.message) note(`${run} is not shown to be safe: ${told.message}`, true);
  } catch (fault) {
    note(`${run}: ${verb} failed: ${faultOf(fault).message}`, true);
  } finally {
    button.disabled = false;
  }
}

function themeButton() {
  const dark = () => document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const button = h("button", { class: "quiet theme", title: "Light or dark" });
  const show = () => button.setAttribute("aria-label", dark() ? "Switch to light" : "Switch to dark");
  button.append(h("span", { class: "half", "aria-hidden": "true" }));
  button.addEventListener("click", () => {
    const next = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    try {
      localStorage.setItem("galvanode-theme", next);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
    show();
    document.dispatchEvent(new Event("themechange"));
  });
  show();
  return button;
}
