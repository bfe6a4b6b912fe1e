// The history: every run, the newest first.

import { faultOf, get } from "./api.js";
import { byId, chip, h, note } from "./dom.js";
import { bare } from "./card.js";
import { clock, count, moment, reason } from "./format.js";
import { shell } from "./shell.js";

/** @import { Run, RunList, Status } from "station" */

const PAGE = 100;
const REFRESH_MS = 4000;

const bar = shell();
const main = byId("runs");
const body = h("tbody", {});
const filter = h("input", { type: "search", id: "filter", placeholder: "title, recipe, cell, channel, state …", oninput: () => show() });
const more = h("button", { text: "Older runs", hidden: true, onclick: () => load(shown.length) });
const tally = h("p", { class: "detail" });
/** @type {Run[]} */
let shown = [];

main.append(
  h("div", { class: "heading" }, h("h1", { text: "Runs" }), tally,
    h("div", { class: "field" }, h("label", { for: "filter", text: "Find" }), filter)),
  h("div", { class: "panel scroll" }, h("table", { class: "list" },
    h("thead", {}, h("tr", {}, ...["Run", "State", "Channel", "Title", "Recipe", "Cell", "Started (UTC)", "Test time", "Samples", "How it ended"]
      .map((name) => h("th", { scope: "col", class: ["Test time", "Samples"].includes(name) ? "number" : null, text: name })))), body)),
  more);

async function load(offset = 0) {
  try {
    /** @type {[RunList, Status]} */
    const [{ runs, total }, status] = await Promise.all([get(`/api/runs?limit=${PAGE}&offset=${offset}`), get("/api/status")]);
    bar.link(true);
    bar.update(status);
    const ids = new Set(runs.map((run) => run.id));
    const kept = shown.filter((run) => !ids.has(run.id));
    shown = [...kept, ...runs].sort((a, b) => (b.created_unix_s ?? 0) - (a.created_unix_s ?? 0) || b.id.localeCompare(a.id));
    tally.textContent = `${count(total)} in all`;
    more.hidden = shown.length >= total;
    show();
  } catch (thrown) {
    const fault = faultOf(thrown);
    if (fault.status === 0) bar.link(false);
    else if (fault.status !== 503) note(fault.message, true);
    else tally.textContent = fault.message;
  }
}

function show() {
  const wanted = filter.value.trim().toLowerCase();
  const rows = shown.filter((run) => [run.id, run.title, run.recipe_name, run.cell_name, run.channel, run.state, run.end_reason].join(" ").toLowerCase().includes(wanted));
  const stamp = JSON.stringify(rows);
  if (body.dataset.stamp === stamp) return; // nothing new: a focused link stays focused
  body.dataset.stamp = stamp;
  body.replaceChildren(...rows.map((run) => h("tr", {},
    h("td", {}, h("a", { href: `/runs/${run.id}`, text: run.id })),
    h("td", {}, chip(run.state)),
    h("td", { text: run.channel }),
    h("td", {}, h("a", { href: `/runs/${run.id}${run.question ? "#answer" : ""}`, text: run.title })),
    h("td", { text: bare(run.recipe_name) }),
    h("td", { class: "nowrap", text: bare(run.cell_name) }),
    h("td", { class: "nowrap", text: moment(run.started_unix_s ?? run.created_unix_s) }),
    h("td", { class: "number nowrap", text: clock(run.test_time_s) }),
    h("td", { class: "number", text: count(run.samples) }),
    h("td", { text: run.question ? `waiting for you: ${run.question.message}` : reason(run.end_reason ?? "") }))));
  if (rows.length === 0) body.append(h("tr", {}, h("td", { colspan: 10, class: "detail", text: shown.length ? "None matches." : "No run yet." })));
}

load();
setInterval(() => { if (!document.hidden) load(); }, REFRESH_MS);
