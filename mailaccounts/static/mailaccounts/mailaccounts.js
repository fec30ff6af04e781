// A form with data-busy says what goes on while the server works, and can't be sent twice meanwhile; a button may have
// words of its own.
// Without script the browser's own progress sign does. And a button to print what is a receipt.
(function () {
  "use strict";

  function start(form, button) {
    const words = (button && button.dataset.busy) || form.dataset.busy;
    form.setAttribute("aria-busy", "true");
    form.querySelectorAll(".busy").forEach((note) => { note.textContent = words; });
    // After the browser has read the form: a disabled button isn't sent.
    setTimeout(() => form.querySelectorAll("button").forEach((button) => { button.disabled = true; }));
  }

  function stop(form) {
    form.removeAttribute("aria-busy");
    form.querySelectorAll(".busy").forEach((note) => { note.textContent = ""; });
    form.querySelectorAll("button").forEach((button) => { button.disabled = false; });
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.dataset.busy) return;
    if (form.getAttribute("aria-busy")) event.preventDefault();
    else start(form, event.submitter);
  });

  // A page that is worth printing has a button for it, where there is a script to press it.
  document.querySelectorAll("[data-print]").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => window.print());
  });

  // Coming back by the browser's history shows the page as it was left: busy.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("form[aria-busy]").forEach(stop);
  });
})();
