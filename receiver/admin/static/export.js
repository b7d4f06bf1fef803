// Shows how far an export is beside its download. Without this file it is a plain download.
(() => {
  "use strict";

  // Random by a way that pages without TLS have too.
  const newId = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  };

  document.addEventListener("submit", (event) => {
    const form = event.target.closest("form[data-progress]");
    const shown = document.getElementById("export");
    if (!form || !shown) return;
    const id = newId();
    form.elements.progress.value = id;
    form.closest("details")?.removeAttribute("open");
    // Beside, once the file itself was asked for.
    setTimeout(() => htmx.ajax("GET", form.dataset.progress.replace(/[0-9a-f-]{36}$/, id), { target: shown, swap: "innerHTML" }));
  });
})();
