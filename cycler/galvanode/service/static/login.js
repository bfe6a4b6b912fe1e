// The token in exchange for a session.

import { byId, say } from "./dom.js";

const token = /** @type {HTMLInputElement} */ (byId("token"));

byId("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const fault = byId("login-error");
  say(fault, "");
  try {
    const response = await fetch("/api/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: token.value }),
    });
    if (response.ok) location.assign("/");
    else say(fault, (await response.json()).error);
  } catch {
    say(fault, "the station does not answer");
  }
});
