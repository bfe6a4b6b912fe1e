// Requests to this station. A fault is an Error that carries what the station said.

import { COLUMNS } from "./vocabulary.js";

/** @import { Maybe, Problem, Thinned } from "station" */

export class Fault extends Error {
  /**
   * @param {number} status of HTTP; 0: no answer
   * @param {Problem} problem
   */
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

/**
 * What was thrown, as a fault: what is none is a defect of the page, and told like one.
 * @param {unknown} thrown
 */
export const faultOf = (thrown) => (thrown instanceof Fault ? thrown : new Fault(500, { error: `this page: ${String(thrown)}` }));

/**
 * Ask the station; what it answers has the type that its OpenAPI description says.
 * @param {string} path
 * @param {RequestInit} options
 * @returns {Promise<any>}
 */
async function request(path, options = {}) {
  /** @type {Response} */
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

/** @param {string} path */
export const get = (path) => request(path);

/**
 * @param {string} path
 * @param {object} [body]
 */
export const post = (path, body) =>
  request(path, {
    method: "POST",
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });

/**
 * Send a file as it is.
 * @param {string} path
 * @param {Blob} file
 */
export const upload = (path, file) => request(path, { method: "POST", headers: { "content-type": file.type }, body: file });

/**
 * @param {string} run
 * @param {string} rest
 */
export const runPath = (run, rest = "") => `/api/runs/${encodeURIComponent(run)}${rest}`;

const TIME = COLUMNS.test_time.label;
export const VOLTAGE = COLUMNS.voltage.label;
export const CURRENT = COLUMNS.current.label;
export const TEMPERATURE = COLUMNS.temperature.label;

/**
 * A run thinned out for a plot, between two times in s.
 * @param {string} run
 * @param {{points?: number, columns?: string[], start?: Maybe<number>, end?: Maybe<number>}} what
 * @returns {Promise<Thinned>}
 */
export async function overview(run, { points = 1000, columns = [VOLTAGE, CURRENT], start, end } = {}) {
  const query = new URLSearchParams({ points: String(points), columns: columns.join(",") });
  if (typeof start === "number") query.set("start_s", String(start));
  if (typeof end === "number") query.set("end_s", String(end));
  /** @type {{columns: Record<string, any>}} */
  const answer = await get(runPath(run, `/overview?${query}`));
  return { time: answer.columns[TIME], columns: answer.columns };
}
