// A form with data-busy says what goes on while the server works, and can't be sent twice meanwhile; a button may have
// words of its own.
// Without script the browser's own progress sign does. A button to print what is a receipt. And words for a form that is
// kept as one types, data-lost, for when it isn't.
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

  // Kept in passing: no answer, one that says no, or the sign-in page is no sign that it was.
  function lost(event) {
    const form = event.target.closest && event.target.closest("form[data-lost]");
    if (!form) return;
    form.querySelector("[data-kept]").textContent = form.dataset.lost;
  }

  document.addEventListener("htmx:sendError", lost);
  document.addEventListener("htmx:responseError", lost);
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, requestConfig, target } = event.detail;
    if (!target.hasAttribute("data-kept") || xhr.status >= 400) return;
    if (new URL(xhr.responseURL).pathname === new URL(requestConfig.path, location).pathname) return;
    event.detail.shouldSwap = false;
    target.textContent = target.closest("form").dataset.lost;
  });

  // Coming back by the browser's history shows the page as it was left: busy.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) document.querySelectorAll("form[aria-busy]").forEach(stop);
  });
})();
