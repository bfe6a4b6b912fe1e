// The dialog that starts a run: channel, recipe, cell, parameters; checked before it can start.

import { faultOf, get, post } from "./api.js";
import { h, note, say } from "./dom.js";
import { count, duration, pretty, reason, words } from "./format.js";

/** @import { ChannelState, LibraryCell, LibraryRecipe, RecipeParameter, Schedule, Submitted } from "station" */
/** @import { Fault } from "./api.js" */
/** @typedef {"recipe" | "cell"} Kind */
/** @typedef {ReturnType<StartDialog["request"]>} Asked */

const OWN = "";
const CHECK_AFTER_MS = 500;

export class StartDialog {
  constructor() {
    /** @type {Record<string, string>} */
    this.given = {};
    this.parameterNames = "";
    this.ticket = 0;
    /** @type {number | undefined} */
    this.timer = undefined;
    /** @type {{recipe: LibraryRecipe[], cell: LibraryCell[]} | null} */
    this.library = null;
    this.channel = h("select", { id: "start-channel", onchange: () => this.suggestCell() });
    /** @type {Record<Kind, HTMLSelectElement>} */
    this.choice = {
      recipe: h("select", { id: "start-recipe", onchange: () => this.take("recipe") }),
      cell: h("select", { id: "start-cell", onchange: () => this.take("cell") }),
    };
    /** @type {Record<Kind, HTMLTextAreaElement>} */
    this.text = { recipe: this.editor("recipe", "Recipe, YAML"), cell: this.editor("cell", "Cell, YAML") };
    this.about = h("p", { class: "detail" });
    this.parameters = h("div", { class: "parameters" });
    this.outcome = h("div", { class: "outcome", "aria-live": "polite" });
    this.checkButton = h("button", { type: "button", text: "Check", onclick: () => this.check() });
    this.startButton = h("button", { type: "submit", class: "primary", text: "Start", disabled: true });
    /**
     * @param {string} label
     * @param {HTMLElement} control
     */
    const field = (label, control) => h("div", { class: "field" }, h("label", { for: control.id, text: label }), control);
    /** @type {HTMLFormElement} */
    this.form = h("form", { method: "dialog", onsubmit: (event) => this.submit(event) },
      h("header", {}, h("h2", { id: "start-title", text: "Start a run" }),
        h("button", { type: "button", class: "quiet", "aria-label": "Close", text: "×", onclick: () => this.element.close() })),
      h("div", { class: "columns" },
        h("div", { class: "choices" },
          field("Channel", this.channel), field("Recipe", this.choice.recipe), this.about,
          h("details", {}, h("summary", { text: "Recipe text" }), this.text.recipe),
          field("Cell", this.choice.cell),
          h("details", {}, h("summary", { text: "Cell text" }), this.text.cell),
          h("h3", { text: "Parameters" }), this.parameters),
        h("div", { class: "result" }, this.outcome)),
      h("footer", {}, h("button", { type: "button", text: "Cancel", onclick: () => this.element.close() }), this.checkButton, this.startButton));
    this.element = h("dialog", { class: "start", "aria-labelledby": "start-title" }, this.form);
    document.body.append(this.element);
  }

  /**
   * @param {Kind} kind
   * @param {string} label
   */
  editor(kind, label) {
    return h("textarea", { id: `start-${kind}-text`, "aria-label": label, spellcheck: "false", rows: 14, wrap: "off", maxlength: 524288,
      oninput: () => {
        this.choice[kind].value = OWN; // edited: it is no longer the library's
        this.later();
      } });
  }

  /**
   * @param {ChannelState[]} channels
   * @param {string} [name] of the channel to choose
   */
  async open(channels, name) {
    const ready = channels.filter((channel) => channel.state === "idle" && !channel.run);
    if (ready.length === 0) {
      note("No channel is free: stop or wait for a run first.", true);
      return;
    }
    this.channel.replaceChildren(...ready.map((channel) => h("option", { value: channel.name, text: channel.name })));
    if (name) this.channel.value = name;
    try {
      if (this.library === null) {
        const [recipe, cell] = await Promise.all([get("/api/recipes"), get("/api/cells")]);
        this.library = { recipe, cell };
      }
    } catch (thrown) {
      note(faultOf(thrown).message, true);
      return;
    }
    /**
     * @param {HTMLSelectElement} select
     * @param {{name: string, title: string}[]} entries
     * @param {string} own
     */
    const fill = (select, entries, own) => {
      const chosen = select.value;
      select.replaceChildren(...entries.map((entry) => h("option", { value: entry.name, text: `${entry.name}: ${entry.title}` })), h("option", { value: OWN, text: own }));
      if (chosen || select.dataset.filled) select.value = chosen;
      select.dataset.filled = "yes";
    };
    const first = !this.choice.recipe.dataset.filled;
    fill(this.choice.recipe, this.library.recipe, "My own text …");
    fill(this.choice.cell, this.library.cell, "My own text …");
    if (first) {
      this.take("recipe");
      this.take("cell");
    }
    this.suggestCell();
    this.element.showModal();
    this.later(0);
  }

  /** A channel named after a cell of the library gets that cell. */
  suggestCell() {
    const wanted = this.channel.value.replaceAll("_", "-");
    if (this.library?.cell.some((cell) => cell.name === wanted)) {
      this.choice.cell.value = wanted;
      this.take("cell");
    }
  }

  /**
   * Take the library's text, or leave the text as it is and show it.
   * @param {Kind} kind
   */
  take(kind) {
    const name = this.choice[kind].value;
    const entry = this.library?.[kind].find((candidate) => candidate.name === name);
    if (entry) this.text[kind].value = entry.text;
    else this.unfold(kind).focus();
    if (kind === "recipe") {
      const recipe = this.library?.recipe.find((candidate) => candidate.name === name);
      say(this.about, recipe?.description ?? "");
      this.given = {};
      if (recipe) this.showParameters(recipe.parameters);
    }
    this.later();
  }

  /**
   * Show the text, and return where it is.
   * @param {Kind} kind
   */
  unfold(kind) {
    const text = this.text[kind];
    const details = text.closest("details");
    if (details) details.open = true;
    return text;
  }

  /** @param {RecipeParameter[]} parameters */
  showParameters(parameters) {
    const names = JSON.stringify(parameters);
    if (names === this.parameterNames) return;
    this.parameterNames = names;
    if (parameters.length === 0) {
      this.parameters.replaceChildren(h("p", { class: "detail", text: "This recipe has none." }));
      return;
    }
    this.parameters.replaceChildren(...parameters.map((parameter) => {
      /** @type {HTMLInputElement} */
      const input = h("input", { id: `parameter-${parameter.name}`, value: this.given[parameter.name] ?? parameter.default ?? "", autocomplete: "off",
        oninput: () => {
          if (input.value.trim() === (parameter.default ?? "")) delete this.given[parameter.name];
          else this.given[parameter.name] = input.value.trim();
          this.later();
        } });
      const range = [parameter.min && `from ${parameter.min}`, parameter.max && `to ${parameter.max}`].filter(Boolean).join(" ");
      return h("div", { class: "field" },
        h("label", { for: input.id, text: parameter.name.replaceAll("_", " ") }), input,
        h("span", { class: "detail", text: range }));
    }));
  }

  later(after = CHECK_AFTER_MS) {
    this.startButton.disabled = true;
    this.ticket++;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), after);
  }

  request() {
    return {
      recipe: this.text.recipe.value,
      recipe_name: `${this.choice.recipe.value || "recipe"}.yaml`,
      cell: this.text.cell.value,
      cell_name: `${this.choice.cell.value || "cell"}.yaml`,
      parameters: this.given,
    };
  }

  /** Check what is there now; an answer about what was there before is dropped. */
  async check() {
    clearTimeout(this.timer);
    const ticket = ++this.ticket;
    this.startButton.disabled = true;
    const asked = this.request();
    try {
      /** @type {Schedule} */
      const schedule = await post("/api/check", asked);
      if (ticket !== this.ticket) return;
      this.showParameters(schedule.parameters);
      this.showSchedule(schedule);
      this.startButton.disabled = false;
    } catch (thrown) {
      if (ticket === this.ticket) this.showFault(faultOf(thrown), asked);
    }
  }

  /**
   * @param {Fault} fault
   * @param {Asked} asked
   */
  showFault(fault, asked) {
    /** @type {Kind | null} */
    const kind = fault.source === asked.recipe_name ? "recipe" : fault.source === asked.cell_name ? "cell" : null;
    /** @type {HTMLElement[]} */
    const parts = [h("h3", { class: "fault", text: "⚠ Not valid" }), h("p", { class: "fault", text: fault.full })];
    const { line: number } = fault;
    if (kind && number) {
      const line = asked[kind].split("\n")[number - 1] ?? "";
      const caret = `${" ".repeat(Math.max(0, (fault.column ?? 1) - 1))}▲`;
      parts.push(h("pre", { class: "excerpt", text: `${line}\n${caret}` }),
        h("button", { type: "button", text: `Go to line ${number}`, onclick: () => this.goTo(kind, number, fault.column ?? 1) }));
    }
    this.outcome.replaceChildren(...parts);
  }

  /**
   * @param {Kind} kind
   * @param {number} line from 1
   * @param {number} column from 1
   */
  goTo(kind, line, column) {
    const text = this.unfold(kind);
    const lines = text.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    const at = start + Math.max(0, column - 1);
    text.focus();
    text.setSelectionRange(at, start + lines[line - 1].length);
    text.scrollTop = Math.max(0, (line - 5) * parseFloat(getComputedStyle(text).lineHeight));
  }

  /** @param {Schedule} schedule */
  showSchedule(schedule) {
    const longest = schedule.longest_s === null ? "no limit to how long it takes" : `at most ${duration(schedule.longest_s)}`;
    const samples = schedule.most_samples === null ? "" : ` · at most ${count(Math.ceil(schedule.most_samples))} samples`;
    const table = h("table", { class: "schedule" },
      h("thead", {}, h("tr", {}, ...["#", "Step", "Set", "Until"].map((name) => h("th", { scope: "col", text: name })))),
      h("tbody", {}, ...schedule.lines.map((line) => h("tr", { class: line.step_id === null ? "loop" : null, title: line.record ? `records ${line.record}` : null },
        h("td", { text: line.step_id ?? "↻" }),
        h("td", { class: `depth-${Math.min(line.indent, 6)}`, text: words(line.what.replaceAll("$", "")) }),
        h("td", { text: pretty(line.setpoint) }),
        h("td", { text: reason(words(line.ends)) })))));
    this.outcome.replaceChildren(
      h("h3", { class: "good", text: "✓ Ready" }),
      h("p", {}, h("b", { text: schedule.title }), ` · ${longest}${samples}`),
      h("ul", { class: "warnings" }, ...schedule.warnings.map((warning) =>
        h("li", { text: warning.line === null ? warning.text : `line ${warning.line}: ${warning.text}` }))),
      h("div", { class: "scroll" }, table),
      h("p", { class: "detail", text: schedule.limits.length ? `Trips on: ${pretty(schedule.limits.join("; "))}.` : "" }),
      h("p", { class: "detail", text: schedule.analyses.length ? `Finds: ${schedule.analyses.join(", ").replaceAll("_", " ")}.` : "" }));
  }

  /** @param {SubmitEvent} event */
  async submit(event) {
    event.preventDefault();
    if (this.startButton.disabled) return;
    this.startButton.disabled = true;
    const asked = { ...this.request(), channel: this.channel.value };
    try {
      /** @type {Submitted} */
      const { run } = await post("/api/runs", asked);
      note(`${run} started on ${asked.channel}.`);
      this.element.close();
    } catch (thrown) {
      this.showFault(faultOf(thrown), asked);
    }
  }
}
