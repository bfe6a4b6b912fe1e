// Light or dark before the first paint: the person's choice if there is one, else the system's.
"use strict";
try {
  const chosen = localStorage.getItem("galvanode-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // No storage (private window): the system's theme it is.
}
