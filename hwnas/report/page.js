"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const narrow = () => window.innerWidth < 480;
  const touch = window.matchMedia("(pointer: coarse)").matches;

  // Colours are named "@front" in the figures and live in the style sheet, so that light, dark and print need no second figure.
  const coloured = (value, style) => {
    if (typeof value === "string") return value[0] === "@" && /^@[a-z]+$/.test(value) ? style.getPropertyValue("--" + value.slice(1)).trim() : value;
    if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map((item) => coloured(item, style));
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item, style)]));
    return value;
  };

  const draw = (chart, size = {}) => {
    const style = getComputedStyle(document.documentElement);
    const figure = coloured(figures[chart.dataset.figure], style);
    Object.assign(figure.layout, size);
    figure.layout.font.family = getComputedStyle(document.body).fontFamily;
    if (touch) figure.layout.dragmode = false;
    if (narrow()) {
      Object.assign(figure.layout.margin, { l: 44, r: 6 });
      figure.layout.font.size = 11;
    }
    // No mode bar: among its buttons is one that sends the chart to a server.
    const options = { responsive: true, displayModeBar: false, plotlyServerURL: "", doubleClick: "reset+autosize" };
    figure.layout.autosize = !("width" in size);
    return Plotly.react(chart, figure.data, figure.layout, options);
  };

  const charts = [...document.querySelectorAll("[data-figure]")];
  const drawAll = (size) => charts.forEach((chart) => draw(chart, size));

  // Details of a point: open without scripts, closed with them.
  const toggle = (button, open) => {
    button.setAttribute("aria-expanded", String(open));
    document.getElementById(button.getAttribute("aria-controls")).hidden = !open;
  };
  const show = (id) => {
    const body = document.getElementById(id);
    const button = body && body.querySelector(".toggle");
    if (!button) return;
    toggle(button, true);
    body.scrollIntoView({ block: "center" });
    button.focus({ preventScroll: true });
  };

  const sortBy = (heading, button) => {
    const table = heading.closest("table");
    const column = [...heading.parentNode.children].indexOf(heading);
    const ascending = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of heading.parentNode.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const key = (body) => {
      const cell = body.rows[0].cells[column];
      if (button.dataset.kind === "text") return cell.textContent;
      return cell.dataset.value ? Number(cell.dataset.value) : NaN;
    };
    const order = (a, b) => {
      const x = key(a), y = key(b);
      // Unknown numbers stay at the end, whichever way the table is sorted.
      if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
      const sign = typeof x === "string" ? x.localeCompare(y, undefined, { numeric: true }) : x - y;
      return ascending ? sign : -sign;
    };
    [...table.tBodies].sort(order).forEach((body) => table.append(body));
  };

  document.querySelectorAll(".toggle").forEach((button) => {
    toggle(button, false);
    button.addEventListener("click", () => toggle(button, button.getAttribute("aria-expanded") !== "true"));
  });
  document.querySelectorAll(".sort").forEach((button) => button.addEventListener("click", () => sortBy(button.closest("th"), button)));
  document.querySelectorAll("[data-open]").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    history.replaceState(null, "", "#" + link.dataset.open);
    show(link.dataset.open);
  }));

  const view = (chart, all) => {
    const { xaxis, yaxis } = figures[chart.dataset.figure].layout;
    const change = {};
    for (const [name, axis] of [["xaxis", xaxis], ["yaxis", yaxis]]) {
      if (axis.range && !all) change[name + ".range"] = [...axis.range];
      else change[name + ".autorange"] = true;
    }
    Plotly.relayout(chart, change);
  };
  const save = (chart, format) =>
    Plotly.downloadImage(chart, { format, scale: format === "png" ? 3 : 1, filename: "hwnas-" + chart.dataset.figure });
  document.querySelectorAll("[data-action]").forEach((button) => button.addEventListener("click", () => {
    const chart = document.getElementById("chart-" + button.dataset.of), action = button.dataset.action;
    if (action === "reset" || action === "all") view(chart, action === "all");
    else save(chart, action);
  }));

  drawAll();
  for (const id of ["chart-front", "chart-devices", "chart-parallel"]) document.getElementById(id)?.on("plotly_click", (event) => {
    const index = event.points[0].customdata;
    if (Number.isInteger(index)) show("point-" + index);
  });
  if (/^#point-\d+$/.test(location.hash)) show(location.hash.slice(1));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll());
  // Paper is light, and about 680 px wide.
  const paper = (on) => {
    document.documentElement.classList.toggle("print", on);
    drawAll(on ? { width: 680 } : {});
    // A figure that was given a size keeps it until it is told to look around.
    if (!on) charts.forEach((chart) => Plotly.Plots.resize(chart));
  };
  window.addEventListener("beforeprint", () => paper(true));
  window.addEventListener("afterprint", () => paper(false));
  document.documentElement.dataset.drawn = String(charts.length);
})();
