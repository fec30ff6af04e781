// Buttons that copy the text of another element. Without script there is the text, which a click selects.
(function () {
  "use strict";

  function offer(button) {
    const value = document.getElementById(button.dataset.copy);
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(value.textContent);
        button.textContent = "Copied";
      } catch { // without https, or where the browser forbids it
        getSelection().selectAllChildren(value);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll("[data-copy]").forEach(offer));
})();
