// A box that chooses all conversations of the page, and choices that stay when the list is renewed under them.
(function () {
  "use strict";

  let chosen = new Set();

  const list = () => document.getElementById("inbox-list");
  const boxes = () => list().querySelectorAll("input[name=thread]");

  function begin() {
    const all = document.getElementById("choose-all");
    if (all) all.closest(".inbox-all").hidden = false;
  }

  document.addEventListener("change", (event) => {
    if (event.target.id === "choose-all") boxes().forEach((box) => { box.checked = event.target.checked; });
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "inbox-list") {
      chosen = new Set([...boxes()].filter((box) => box.checked).map((box) => box.value));
    }
  });

  document.addEventListener("htmx:afterSettle", () => {
    if (!list()) return;
    begin();
    boxes().forEach((box) => { if (chosen.has(box.value)) box.checked = true; });
    chosen = new Set();
  });

  begin();
})();
