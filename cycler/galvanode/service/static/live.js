// The live stream: reconnects for ever, tells when it is cut off.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10000;
const SILENCE_MS = 8000;

/** @import { LiveMessage } from "station" */

export class Live {
  /**
   * @param {(message: LiveMessage) => void} onmessage
   * @param {(connected: boolean) => void} onlink
   * @param {() => void} onconnect what came before is to be asked for anew
   */
  constructor(onmessage, onlink, onconnect = () => {}) {
    this.onmessage = onmessage;
    this.onlink = onlink;
    this.onconnect = onconnect;
    /** @type {string[]} */
    this.runs = [];
    /** @type {WebSocket | null} */
    this.socket = null;
    /** @type {number | undefined} */
    this.retry = undefined;
    /** @type {number | undefined} */
    this.silence = undefined;
    this.wait = FIRST_WAIT_MS;
    this.connect();
    document.addEventListener("visibilitychange", () => {
      // A page in the background need not be served; a browser slows it down until it is dropped anyway.
      if (document.hidden) this.socket?.close();
      else if (!this.socket) this.connect();
    });
  }

  connect() {
    clearTimeout(this.retry);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/live`);
    this.socket = socket;
    socket.onopen = () => {
      this.wait = FIRST_WAIT_MS;
      this.onconnect();
      this.send();
      this.listen();
    };
    socket.onmessage = (event) => {
      this.listen();
      this.onlink(true);
      this.onmessage(JSON.parse(event.data));
    };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.socket = null;
      clearTimeout(this.silence);
      if (document.hidden) return;
      this.onlink(false);
      this.retry = setTimeout(() => this.connect(), this.wait);
      this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
    };
  }

  /**
   * Ask for the points of these runs from now on.
   * @param {string[]} runs
   */
  subscribe(runs) {
    const wanted = [...new Set(runs)].sort();
    if (wanted.join() === this.runs.join()) return;
    this.runs = wanted;
    this.send();
  }

  send() {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ subscribe: this.runs }));
  }

  listen() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.socket?.close(), SILENCE_MS);
  }
}
