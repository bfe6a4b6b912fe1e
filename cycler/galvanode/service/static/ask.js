// The card of a run that waits for its operator: what it asks, and a form for the kind of answer.

import { faultOf, post, runPath, upload } from "./api.js";
import { h, note, say, shape } from "./dom.js";
import { duration, moment, pretty, words } from "./format.js";
import { MOST_BYTES, preview, shrunk } from "./photo.js";

/** @import { Maybe, Question } from "station" */
/** @typedef {() => Promise<unknown>} Answer sends what was put in */

export class Ask {
  /**
   * @param {string} run
   * @param {() => void} onanswered called once the station has taken an answer
   */
  constructor(run, onanswered) {
    this.run = run;
    this.onanswered = onanswered;
    /** @type {Question | null} */
    this.question = null;
    /** @type {number | null} id of the question that was answered last */
    this.answered = null;
    /** @type {HTMLFormElement | null} */
    this.form = null;
    this.submit = h("button", {});
    this.element = h("section", { id: "answer", class: "panel ask", hidden: true, "aria-labelledby": "ask-message" });
    this.announcement = h("p", { class: "hidden", role: "status" });
    this.waited = h("p", { class: "detail" });
    this.fault = h("p", { id: "ask-fault", class: "fault", role: "alert" });
  }

  /**
   * Show the question that is open now, or none; the same one keeps what was typed.
   * @param {Maybe<Question>} question
   * @param {Maybe<number>} now the station's clock
   */
  update(question, now) {
    if (question && question.id === this.answered) return; // the station is about to say that it is answered
    if (question?.id !== this.question?.id) this.show(question ?? null);
    if (question) say(this.waited, waiting(question, now));
  }

  /** @param {Question | null} question */
  show(question) {
    const hadFocus = this.element.contains(document.activeElement);
    this.question = question;
    this.element.hidden = question === null;
    say(this.fault, "");
    say(this.announcement, question ? `The run waits for you: ${question.message}` : "");
    this.element.replaceChildren();
    if (!question) {
      if (hadFocus) document.querySelector("main")?.focus();
      return;
    }
    const { wants } = question;
    const [fields, answer] = wants === "number" ? this.number(question) : wants === "photo" ? this.photo(question) : this.confirmation(question);
    this.form = h("form", { dataset: { wants }, onsubmit: (event) => {
      event.preventDefault();
      this.send(question, answer);
    } }, ...fields, this.fault);
    this.element.append(
      h("p", { class: "eyebrow" }, shape("waiting"), "Waiting for you"),
      h("h2", { id: "ask-message", text: question.message }), this.waited, this.form);
  }

  /** Put the cursor where the answer goes. */
  focus() {
    this.input()?.focus();
  }

  /** Where the answer is typed or chosen; its button, where nothing is. */
  input() {
    return this.form?.querySelector("input") ?? this.form?.querySelector("button");
  }

  /**
   * @param {Question} question
   * @returns {[HTMLElement[], Answer]}
   */
  confirmation(question) {
    this.submit = h("button", { class: "primary large", type: "submit", text: "Done, go on" });
    return [[this.submit], () => post(runPath(this.run, "/answer"), { confirmed: true, question: question.id })];
  }

  /**
   * @param {Question} question
   * @returns {[HTMLElement[], Answer]}
   */
  number(question) {
    const { name, units, unit, range, expected } = question;
    /** @type {HTMLInputElement} */
    const input = h("input", {
      id: "ask-number", type: "text", inputmode: units.length ? "decimal" : "text", autocomplete: "off", required: true,
      maxlength: 60, "aria-describedby": "ask-help ask-fault", oninput: () => input.removeAttribute("aria-invalid"),
    });
    const select = units.length ? h("select", { "aria-label": "Unit" },
      ...[...new Set([...units, ...(unit === null ? [] : [unit])])].map((each) => h("option", { value: each, text: pretty(each), selected: each === unit }))) : null;
    const help = [range ? `${range} expected` : expected ? `expected ${expected}` : "", units.length ? "another unit may be typed behind the number" : ""];
    this.submit = h("button", { class: "primary large", type: "submit", text: "Send and go on" });
    const fields = [
      h("label", { for: "ask-number", text: words(name ?? "number") }),
      h("div", { class: "entry" }, input, select, this.submit),
      h("p", { id: "ask-help", class: "detail", text: pretty(help.filter(Boolean).join("; ")) }),
    ];
    return [fields, () => post(runPath(this.run, "/answer"), { number: withUnit(input.value, select?.value), question: question.id })];
  }

  /**
   * @param {Question} question
   * @returns {[HTMLElement[], Answer]}
   */
  photo(question) {
    const picture = h("canvas", { class: "preview", role: "img", hidden: true });
    /** @type {Blob | null} */
    let chosen = null;
    /** @type {HTMLInputElement} */
    const input = h("input", {
      id: "ask-photo", type: "file", accept: "image/jpeg,image/png", capture: "environment", required: true,
      "aria-describedby": "ask-help ask-fault",
      onchange: async () => {
        const file = input.files?.[0];
        chosen = null;
        picture.hidden = true;
        this.submit.disabled = true;
        say(this.fault, "");
        if (!file) return;
        try {
          const image = await createImageBitmap(file);
          preview(picture, image);
          const ready = file.size > MOST_BYTES ? await shrunk(image) : file;
          if (input.files?.[0] !== file) return; // another one was chosen meanwhile
          chosen = ready;
          picture.setAttribute("aria-label", `Preview of ${file.name}, ${image.width} × ${image.height}`);
          picture.hidden = false;
          this.submit.disabled = false;
        } catch {
          say(this.fault, `${file.name} is no picture that this browser can show; a JPEG or a PNG is expected.`);
        }
      },
    });
    this.submit = h("button", { class: "primary large", type: "submit", text: "Send the photo and go on", disabled: true });
    const fields = [
      h("label", { for: "ask-photo", text: "Photo" }),
      h("div", { class: "entry" }, input, this.submit),
      h("p", { id: "ask-help", class: "detail", text: "JPEG or PNG; on a phone this opens the camera. It is kept with the run." }),
      picture,
    ];
    return [fields, async () => {
      if (chosen !== null) await upload(runPath(this.run, `/photo?question=${question.id}`), chosen);
    }];
  }

  /**
   * @param {Question} question
   * @param {Answer} answer
   */
  async send({ id, message }, answer) {
    say(this.fault, "");
    this.submit.disabled = true;
    this.element.setAttribute("aria-busy", "true");
    try {
      await answer();
      this.answered = id;
      note(`Answered: ${message}`);
      if (this.question?.id === id) this.show(null);
      this.onanswered();
    } catch (thrown) {
      const fault = faultOf(thrown);
      if (this.question?.id !== id) return; // somebody else was faster, and the run asks something else by now
      say(this.fault, fault.message);
      const input = this.input();
      if (fault.status === 422 && input instanceof HTMLInputElement) input.setAttribute("aria-invalid", "true");
      this.submit.disabled = false;
      input?.focus();
    } finally {
      this.element.removeAttribute("aria-busy");
    }
  }
}

/**
 * How long it has been waiting, and for how long it will.
 * @param {Question} question
 * @param {Maybe<number>} now
 */
function waiting({ asked_unix_s: asked, within_s: within }, now) {
  const parts = [`asked ${moment(asked)} UTC`];
  if (now !== null && now !== undefined && asked !== null) {
    const waited = Math.max(0, now - asked);
    parts.push(waited < 60 ? "just now" : `${hours(Math.floor(waited / 60))} ago`);
    if (within !== null) parts.push(waited < within ? `the run fails without an answer in ${hours(Math.ceil((within - waited) / 60))}` : "its time is over");
  } else if (within !== null) parts.push(`to be answered within ${duration(within)}`);
  return `${parts.join(" · ")} · meanwhile the cell rests, output off`;
}

/**
 * Minutes as `7 h 28 min`: not every second another text.
 * @param {number} minutes
 */
function hours(minutes) {
  if (minutes < 60) return `${minutes} min`;
  return minutes % 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes / 60} h`;
}

/**
 * `12.3` in the chosen unit; a person who types a unit means that one. A comma is a point where people write it so.
 * @param {string} text
 * @param {string | undefined} unit
 */
function withUnit(text, unit) {
  const typed = text.trim();
  const decimal = new Intl.NumberFormat().formatToParts(1.5).find((part) => part.type === "decimal")?.value;
  const number = decimal === "," && /^[-+−]?\d*,\d+(?![\d.,])/.test(typed) ? typed.replace(",", ".") : typed;
  return unit && /^[-+−]?[\d.,]+(e[-+−]?\d+)?$/i.test(number) ? `${number} ${unit}` : number;
}
