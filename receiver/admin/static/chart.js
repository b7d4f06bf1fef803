// Draws the table of a chart as bars: what is in the table is all there is to know, so a page works without.
(() => {
  "use strict";

  const HEIGHT = 232;
  const HOUR = 3600;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function data(table) {
    const rows = [...table.tBodies[0].rows];
    const column = (number) => rows.map((row) => Number(row.cells[number].dataset.value));
    return [rows.map((row) => Number(row.dataset.start)), column(1), column(2)];
  }

  function draw(figure) {
    const table = figure.querySelector("table");
    const place = figure.querySelector(".plot");
    const names = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    const zone = figure.dataset.zone;
    const times = new Intl.DateTimeFormat("sv", { hour: "2-digit", minute: "2-digit", timeZone: zone });
    const days = new Intl.DateTimeFormat("sv", { month: "2-digit", day: "2-digit", timeZone: zone });
    const at = (seconds) => times.format(seconds * 1000);
    const numbers = new Intl.NumberFormat(document.documentElement.lang);
    const points = data(table);
    const last = points[0].at(-1) + HOUR;
    const bars = uPlot.paths.bars({ size: [0.72, 48], align: 1 });
    const bar = (label, name) => ({
      label,
      stroke: colour(name),
      fill: colour(name),
      width: 0,
      paths: bars,
      points: { show: false },
      value: (_, value) => (value == null ? "—" : numbers.format(value)),
    });
    const axis = { stroke: colour("--quiet"), font: "12px system-ui", ticks: { show: false }, grid: { stroke: colour("--line"), width: 1 } };

    const plot = new uPlot(
      {
        width: place.clientWidth || figure.clientWidth,
        height: HEIGHT,
        padding: [12, 22, 0, 0],
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
        select: { show: false },
        scales: { x: { range: () => [points[0][0], last] }, y: { range: (_, __, most) => [0, Math.max(4, most * 1.1)] } },
        axes: [
          { ...axis, grid: { show: false }, values: (_, splits) => splits.map(at), space: 54, size: 30 },
          { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6], values: (_, splits) => splits.map((each) => numbers.format(each)) },
        ],
        series: [
          { label: names[0], value: (_, seconds) => (seconds == null ? "—" : `${days.format(seconds * 1000)} ${at(seconds)}`) },
          bar(names[1], "--accent"),
          bar(names[2], "--bad"),
        ],
      },
      points,
      place,
    );
    new ResizeObserver(() => plot.setSize({ width: place.clientWidth, height: HEIGHT })).observe(figure);
  }

  document.querySelectorAll("[data-chart]").forEach(draw);
})();
