// The token in exchange for a session.

import { say } from "./dom.js";

const form = document.getElementById("login");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fault = document.getElementById("login-error");
  say(fault, "");
  try {
    const response = await fetch("/api/login", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: document.getElementById("token").value }),
    });
    if (response.ok) location.assign("/");
    else say(fault, (await response.json()).error);
  } catch {
    say(fault, "the station does not answer");
  }
});
