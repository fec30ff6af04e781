// Offers passkeys where the browser has them, and says in words when one wasn't used. allauth's scripts do the rest.
(function () {
  "use strict";

  document.addEventListener("DOMContentLoaded", () => {
    if (!window.PublicKeyCredential) return;
    document.querySelectorAll("[data-passkey]").forEach((button) => { button.hidden = false; });
  });

  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    document.querySelectorAll("[data-passkey-trouble]").forEach((note) => {
      note.textContent = "No passkey was used. Try again, or go on another way.";
      note.hidden = false;
    });
  });
})();
