// Requests to this station. A fault is an Error that carries what the station said.

import { COLUMNS } from "./vocabulary.js";

export class Fault extends Error {
  constructor(status, problem) {
    super(problem.error);
    this.status = status;
    this.source = problem.source;
    this.line = problem.line;
    this.column = problem.column;
  }

  /** `file:line:column: message` */
  get full() {
    const place = [this.source, this.line, this.column].filter((part) => part !== null && part !== undefined);
    return place.length ? `${place.join(":")}: ${this.message}` : this.message;
  }
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch {
    throw new Fault(0, { error: "the station does not answer" });
  }
  if (response.status === 401) {
    location.assign("/login");
    throw new Fault(401, { error: "log in first" });
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => ({ error: `unexpected answer (${response.status})` }));
  if (!response.ok) throw new Fault(response.status, answer);
  return answer;
}

export const get = (path) => request(path);

export const post = (path, body = undefined) =>
  request(path, {
    method: "POST",
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

/** Send a file as it is. */
export const upload = (path, file) => request(path, { method: "POST", headers: { "content-type": file.type }, body: file });

export const runPath = (run, rest = "") => `/api/runs/${encodeURIComponent(run)}${rest}`;

const TIME = COLUMNS.test_time.label;
export const VOLTAGE = COLUMNS.voltage.label;
export const CURRENT = COLUMNS.current.label;
export const TEMPERATURE = COLUMNS.temperature.label;

/** A run thinned out for a plot: {time, <label>: [...]}. */
export async function overview(run, { points = 1000, columns = [VOLTAGE, CURRENT], start, end } = {}) {
  const query = new URLSearchParams({ points: String(points), columns: columns.join(",") });
  if (start !== undefined) query.set("start_s", String(start));
  if (end !== undefined) query.set("end_s", String(end));
  const answer = await get(runPath(run, `/overview?${query}`));
  return { time: answer.columns[TIME], ...answer.columns };
}
