// Small helpers to build pages without markup in strings.

import { SHOWN } from "./vocabulary.js";

/** @import { Child, Properties } from "station" */

/**
 * Make an element. Properties: class, text, dataset, on<event>, aria-*, anything else as attribute.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Properties} properties
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = String(value);
    else if (name === "text") element.textContent = String(value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/**
 * The element of this page with that id; the page's HTML has it.
 * @param {string} id
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

/**
 * Set the text only where it changed: no needless layout, no needless screen reader.
 * @param {Element} element
 * @param {string} text
 */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const SVG = "http://www.w3.org/2000/svg";

/** @type {Record<string, string>} */
const SHAPES = {
  running: "M4 2.5v11l9-5.5z",
  waiting: "M1.5 2h13v9H9.2l-4 3.6V11H1.5zM7.2 3.8v3.6h1.6V3.8zm0 4.4v1.4h1.6V8.2z",
  paused: "M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z",
  idle: "M8 2.8a5.2 5.2 0 1 0 0 10.4A5.2 5.2 0 0 0 8 2.8zm0 1.8a3.4 3.4 0 1 1 0 6.8 3.4 3.4 0 0 1 0-6.8z",
  unsafe: "M8 1.2 15.4 14.4H.6zM7.2 5.6v4.6h1.6V5.6zm0 5.6v1.6h1.6v-1.6z",
  lost: "M3.6 2.2 8 6.6l4.4-4.4 1.4 1.4L9.4 8l4.4 4.4-1.4 1.4L8 9.4l-4.4 4.4-1.4-1.4L6.6 8 2.2 3.6z",
  completed: "M6.4 12.8 1.8 8.2l1.5-1.5 3.1 3.1 6.3-6.3 1.5 1.5z",
  stopped: "M3 3h10v10H3z",
  queued: "M2.5 8a1.6 1.6 0 1 0 3.2 0 1.6 1.6 0 0 0-3.2 0zm4 0a1.6 1.6 0 1 0 3.2 0 1.6 1.6 0 0 0-3.2 0zm4 0a1.6 1.6 0 1 0 3.2 0 1.6 1.6 0 0 0-3.2 0z",
};

/**
 * The shape of a state: told apart without colour.
 * @param {string} state
 */
export function shape(state) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "shape");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", SHAPES[SHOWN[state]?.shape ?? state] ?? SHAPES.idle);
  path.setAttribute("fill-rule", "evenodd");
  svg.append(path);
  return svg;
}

/**
 * A chip that says a state in words, with its shape and its colour.
 * @param {string} state
 */
export function chip(state) {
  return h("span", { class: "chip", dataset: { state, tone: SHOWN[state]?.tone ?? "off" } }, shape(state), state.replaceAll("_", " "));
}

/**
 * The canvas's pen.
 * @param {HTMLCanvasElement} canvas
 */
export function pen(canvas) {
  const found = canvas.getContext("2d");
  if (found === null) throw new Error("this browser has no canvas");
  return found;
}

/**
 * Tell the person something that passes by; faults stay until they are dismissed.
 * @param {string} text
 */
export function note(text, isFault = false) {
  const place = byId("notes");
  const entry = h("div", { class: isFault ? "note fault" : "note", role: isFault ? "alert" : "status" }, text);
  entry.append(h("button", { class: "quiet", "aria-label": "Dismiss", onclick: () => entry.remove(), text: "×" }));
  place.append(entry);
  while (place.children.length > 4) place.children[0].remove();
  if (!isFault) setTimeout(() => entry.remove(), 6000);
}

/**
 * Ask before something that cannot be undone.
 * @param {string} title
 * @param {string} text
 * @param {string} action
 * @returns {Promise<boolean>}
 */
export function confirmed(title, text, action) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { class: "confirm", "aria-labelledby": "confirm-title" },
      h("form", { method: "dialog" },
        h("h2", { id: "confirm-title", text: title }),
        h("p", { text }),
        h("div", { class: "actions" },
          h("button", { value: "no", text: "Cancel", autofocus: true }),
          h("button", { value: "yes", class: "danger", text: action }))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
