// The console's keys: everything also works without them, and without this file.
(() => {
  "use strict";

  const isTyping = (element) =>
    element.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(element.tagName);

  // The rows of the page's first list, and which of them has the focus.
  const rows = () => [...document.querySelectorAll("table.rows tbody tr")].filter((row) => row.querySelector("a[href]"));
  const link = (row) => row.querySelector("a[href]");

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const now = all.findIndex((row) => row.contains(document.activeElement));
    const next = now < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, now + step));
    link(all[next]).focus();
    all[next].scrollIntoView({ block: "nearest" });
  }

  const keys = {
    "?": () => document.getElementById("shortcuts")?.showModal(),
    "/": () => {
      const search = document.querySelector("[data-search]");
      search?.focus();
      search?.select?.();
    },
    j: () => move(1),
    k: () => move(-1),
  };

  // A menu that is open closes by Escape, as a dialog does, and by a click elsewhere.
  const menu = () => document.querySelector("details.menu[open]");

  document.addEventListener("keydown", (event) => {
    const open = menu();
    if (event.key !== "Escape" || !open) return;
    open.removeAttribute("open");
    if (open.contains(document.activeElement)) open.querySelector("summary").focus();
  });

  document.addEventListener("click", (event) => {
    const open = menu();
    if (open && !open.contains(event.target)) open.removeAttribute("open");
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  // A row that is a link may be clicked anywhere, except where a text was selected or something else was meant.
  document.addEventListener("click", (event) => {
    const row = event.target.closest("table.rows tbody tr");
    if (!row || event.target.closest("a, button, input, label, select") || getSelection().toString()) return;
    link(row)?.click();
  });

  // Where the navigation is narrower than its links, the present page's one is in sight.
  document.querySelector('.side nav [aria-current="page"]')?.scrollIntoView({ block: "nearest", inline: "center" });

  // A link that is shown to be copied is marked whole at the first click.
  document.addEventListener("focusin", (event) => {
    if (event.target.matches("input[readonly]")) event.target.select();
  });
})();
