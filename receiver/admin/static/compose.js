// Counts a text as the gateway does while it is written (protocol.md §2). The preview counts again, and decides.
(() => {
  "use strict";

  const form = document.getElementById("compose");
  const told = document.getElementById("count");
  if (!form || !told) return;
  const { text, phones, long } = form.elements;
  const { short: SHORT, phs: PHS, long: LONG } = told.dataset;
  const PART = 67;

  // A number that begins with an area code, with 86 before it or not.
  const isPhs = (written) => {
    const digits = written.replace(/\D/g, "").replace(/^(00)?86(?=\d{9})/, "");
    return /^0?(10|2\d|[3-9]\d\d)\d{7,8}$/.test(digits);
  };

  function count() {
    const characters = text.value.length; // UTF-16 units, as the gateway counts them
    const most = Number(long.checked ? LONG : phones.value.split(/[\n,;\t，；、]/).some(isPhs) ? PHS : SHORT);
    const words = [told.dataset.words.replace("{count}", characters).replace("{most}", most)];
    if (characters > SHORT && long.checked) words.push(told.dataset.parts.replace("{parts}", Math.ceil(characters / PART)));
    told.textContent = words.join(" · ");
    told.classList.toggle("wrong", characters > most);
  }

  form.addEventListener("input", count);
  count();
})();
