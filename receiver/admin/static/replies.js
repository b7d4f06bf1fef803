// The list of replies while it is live: says so, and shows a reply once that comes again because it was read anew.
(() => {
  "use strict";

  const MOST = 200; // rows that an open page keeps

  const live = () => document.getElementById("live");
  const say = (isLive) => {
    if (live()) live().hidden = !isLive;
  };

  document.addEventListener("htmx:sse:after:connection", () => say(true));
  document.addEventListener("htmx:sse:error", () => say(false));
  document.addEventListener("htmx:sse:close", () => say(false));

  // An event's id is its place: a position, and the reply's id.
  document.addEventListener("htmx:sse:before:message", (event) => {
    const id = event.detail.message?.id?.split("-")[1];
    if (id) document.getElementById(`reply-${id}`)?.remove();
    const rows = event.target.rows ?? [];
    for (let last = rows.length - 1; last >= MOST; last -= 1) rows[last].remove();
  });
})();
