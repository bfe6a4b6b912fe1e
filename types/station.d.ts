// What the pages' scripts are given: the station's answers, as its OpenAPI description has them (`nox -s javascript`
// writes build/api.d.ts), and what other scripts put into a page.

import type { components } from "../build/api";

type Schemas = components["schemas"];

export type Analysis = Schemas["Analysis"];
export type AnalysisPlot = Schemas["AnalysisPlot"];
export type AnalysisResult = Schemas["AnalysisResult"];
export type ChamberState = Schemas["ChamberState"];
export type ChannelState = Schemas["ChannelState"];
export type EventList = Schemas["EventList"];
export type LibraryCell = Schemas["LibraryCell"];
export type LibraryRecipe = Schemas["LibraryRecipe"];
export type Overview = Schemas["Overview"];
export type Problem = Partial<Schemas["Problem"]> & { error: string };
export type Question = Schemas["Question"];
export type RecipeParameter = Schemas["RecipeParameter"];
export type Run = Schemas["Run"];
export type RunDetail = Schemas["RunDetail"];
export type RunEvent = Schemas["RunEvent"];
export type RunList = Schemas["RunList"];
export type Schedule = Schemas["Schedule"];
export type Status = Schemas["Status"];
export type StoppedAll = Schemas["StoppedAll"];
export type Submitted = Schemas["Submitted"];

/** What may be missing: null in an answer, undefined where there is none. */
export type Maybe<T> = T | null | undefined;

/** A value of a column that holds numbers. */
export type Numbers = (number | null)[];

/** New points of a run, as the live stream sends them. */
export interface Points {
  time_s: number[];
  voltage_V: Numbers;
  current_A: Numbers;
}

export interface LiveMessage {
  status: Status;
  runs: Record<string, Points>;
}

/** A run thinned out for a plot: its times, and by label what was asked for. */
export interface Thinned {
  time: number[];
  columns: Record<string, Numbers>;
}

/** The table of a run's steps, by column. */
export interface StepTable {
  count: number;
  total: number;
  columns: {
    step_count: number[];
    attempt: number[];
    cycle: number[];
    name: string[];
    mode: string[];
    setpoint: Numbers;
    started_test_time_s: number[];
    ended_test_time_s: Numbers;
    end_reason: (string | null)[];
  };
}

/** A number and its unit, as they are shown. */
export type Shown = [number: string, unit: string];

/** Properties of a new element: `class`, `text`, `dataset`, listeners; anything else is an attribute. */
export interface Properties {
  class?: Maybe<string>;
  text?: Maybe<string | number>;
  dataset?: Record<string, string>;
  onclick?: (event: MouseEvent) => unknown;
  onchange?: (event: Event) => unknown;
  oninput?: (event: Event) => unknown;
  onsubmit?: (event: SubmitEvent) => unknown;
  [attribute: string]: unknown;
}

export type Child = Maybe<Node | string>;

/** The element that Plotly draws into; Plotly adds `on`. */
export interface PlotElement extends HTMLDivElement {
  on(event: "plotly_relayout", listener: (change: Record<string, unknown>) => void): void;
  on(event: "plotly_doubleclick", listener: () => void): void;
}

declare global {
  interface Window {
    /** Plotly's bundle, loaded by the page of a run. */
    Plotly: { react(place: HTMLElement, traces: object[], layout: object, config: object): Promise<unknown> };
    /** Swagger UI's bundle, loaded by the page of the API. */
    SwaggerUIBundle(options: object): unknown;
  }
}
