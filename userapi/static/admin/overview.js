// Draws the charts of the overview, with scales and tooltips. Without it, the page shows the bars that the server drew.
"use strict";

const language = document.documentElement.lang;
const shortDay = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: "UTC" });
const longDay = new Intl.DateTimeFormat(language, { dateStyle: "full", timeZone: "UTC" });
const whole = new Intl.NumberFormat(language);
const compact = new Intl.NumberFormat(language, { notation: "compact" });

const HEIGHT = 176;
const AXIS_FONT = "12px system-ui, sans-serif";

/** Shows the day and the number under the pointer. */
function tooltip(days) {
  const box = document.createElement("div");
  box.className = "plot-tooltip";
  box.hidden = true;
  return {
    hooks: {
      init: (chart) => chart.over.append(box),
      setCursor: (chart) => {
        const { idx, left } = chart.cursor;
        box.hidden = idx == null || left < 0;
        if (box.hidden) return;
        box.textContent = `${longDay.format(days[idx])}: ${whole.format(chart.data[1][idx])}`;
        const room = chart.over.clientWidth - box.offsetWidth;
        box.style.left = `${Math.max(0, Math.min(left - box.offsetWidth / 2, room))}px`;
      },
    },
  };
}

function draw(plot) {
  const numbers = plot.dataset.numbers.split(",").map(Number);
  const first = Date.parse(plot.dataset.first);
  const days = numbers.map((_, index) => new Date(first + index * 86_400_000));
  // Canvas knows no custom properties: the style sheet puts them into these.
  const { color, fill, stroke } = getComputedStyle(plot);
  const axis = { font: AXIS_FONT, stroke: color, ticks: { show: false } };
  const options = {
    width: plot.clientWidth,
    height: HEIGHT,
    padding: [10, 4, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: [-0.5, numbers.length - 0.5] },
      y: { range: (_chart, _least, most) => [0, Math.max(most, 1) * 1.05] },
    },
    axes: [
      { ...axis, grid: { show: false }, size: 28, space: 64, incrs: [1, 2, 5, 7, 10, 15, 30, 45], values: (_chart, splits) => splits.map((index) => (days[index] ? shortDay.format(days[index]) : "")) },
      { ...axis, grid: { stroke, width: 1 }, size: 44, space: 28, incrs: [1, 2, 5].flatMap((step) => [...Array(10).keys()].map((power) => step * 10 ** power)).sort((one, other) => one - other), values: (_chart, splits) => splits.map((number) => compact.format(number)) },
    ],
    series: [{}, { fill, width: 0, paths: uPlot.paths.bars({ size: [0.75, 40] }), points: { show: false } }],
    plugins: [tooltip(days)],
  };
  const chart = new uPlot(options, [numbers.map((_, index) => index), numbers]);
  plot.replaceChildren(chart.root);
  return chart;
}

for (const plot of document.querySelectorAll(".plot[data-numbers]")) {
  let chart = draw(plot);
  new ResizeObserver(() => chart.setSize({ width: plot.clientWidth, height: HEIGHT })).observe(plot);
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) {
    matchMedia(query).addEventListener("change", () => {
      chart.destroy();
      chart = draw(plot);
    });
  }
}
