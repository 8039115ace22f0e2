// Draws what the page holds as JSON; colours come from the style sheet, so that dark and light are said once.
(() => {
  const read = id => { const found = document.getElementById(id); return found && JSON.parse(found.textContent); };
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const clear = (hex, part) => `rgba(${[1, 3, 5].map(at => parseInt(hex.slice(at, at + 2), 16)).join(",")},${part})`;
  const phone = () => innerWidth < 640;

  function band(x, low, high, name, fill) {
    const edge = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip", legendgroup: name };
    return [
      { ...edge, y: low, showlegend: false },
      { ...edge, y: high, fill: "tonexty", fillcolor: fill, name, showlegend: true },
    ];
  }

  function line(x, y, name, style, unit, extra = {}) {
    return { x, y, name, mode: "lines", line: style, hovertemplate: `%{y:.2f} ${unit}<extra>${name}</extra>`, ...extra };
  }

  function layout(unit, title) {
    const axis = { gridcolor: colour("line"), zeroline: false, linecolor: colour("line"), tickfont: { color: colour("muted") } };
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("ink") },
      margin: { l: 52, r: 12, t: phone() ? 8 : 40, b: 36 },
      hovermode: "x unified",
      hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("line"), font: { color: colour("ink") } },
      legend: { orientation: "h", y: -0.16, yanchor: "top", x: 0, font: { size: phone() ? 11 : 12 } },
      xaxis: { ...axis, type: "date" },
      yaxis: { ...axis, title: { text: title || unit, font: { color: colour("muted") } } },
      dragmode: phone() ? false : "zoom",
    };
  }

  // Its bar stands in the margin above the plot; a phone has no room for it, and fingers need none.
  const settings = () => ({ responsive: true, displaylogo: false, showTips: false, displayModeBar: phone() ? false : "hover", modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] });

  window.drawPlots = () => {
    const target = document.getElementById("plot");
    const data = read("plot-data");
    if (!target || !data || !window.Plotly) return;
    const unit = target.dataset.unit;
    const [ink, good, warn, third] = ["ink", "accent", "warn", "third"].map(colour);
    const traces = [];
    if (data.fit) {
      traces.push(...band(data.fit.date, data.fit.fitted_q10, data.fit.fitted_q90, "in-sample 80 %", clear(good, 0.14)));
      traces.push(line(data.fit.date, data.fit.fitted, "in-sample fit", { color: clear(good, 0.75), width: 1 }, unit));
    }
    if (data.heldout) {
      traces.push(...band(data.heldout.date, data.heldout.q10, data.heldout.q90, "held out 80 %", clear(third, 0.2)));
      traces.push(line(data.heldout.date, data.heldout.mean, "held-out forecast", { color: third, width: 2, dash: "dot" }, unit));
    }
    if (data.ahead) {
      const fan = data.ahead;
      traces.push(...band(fan.date, fan.q025, fan.q975, "95 %", clear(good, 0.14)));
      traces.push(...band(fan.date, fan.q10, fan.q90, "80 %", clear(good, 0.2)));
      traces.push(...band(fan.date, fan.q25, fan.q75, "50 %", clear(good, 0.28)));
      traces.push(line(fan.date, fan.mean, "forecast", { color: good, width: 2.5 }, unit));
    }
    data.others.forEach((other, place) => {
      if (!other.date) return;
      const style = { color: place ? third : warn, width: 1, dash: place ? "dot" : "dash" };
      traces.push(line(other.date, other.q10, `${other.name} 10 %`, style, unit, { showlegend: false, legendgroup: other.name, hoverinfo: "skip", hovertemplate: null }));
      traces.push(line(other.date, other.q90, `${other.name} 90 %`, style, unit, { showlegend: false, legendgroup: other.name, hoverinfo: "skip", hovertemplate: null }));
      traces.push(line(other.date, other.mean, other.name, { ...style, width: 2.5 }, unit, { legendgroup: other.name }));
    });
    const dots = { mode: "markers", hovertemplate: `%{y:.2f} ${unit}<extra>observed</extra>` };
    traces.push({ ...dots, x: data.observed.date, y: data.observed.value, name: "observed", marker: { color: ink, size: 4 } });
    if (data.since.date.length) {
      traces.push({ ...dots, x: data.since.date, y: data.since.value, name: "observed since", marker: { color: warn, size: 9, symbol: "diamond", line: { color: ink, width: 1 } } });
    }
    const shape = layout(unit);
    const last = (data.ahead || data.heldout || data.observed).date.at(-1);
    const years = phone() ? 3 : 6;
    const first = `${Number(last.slice(0, 4)) - years}${last.slice(4)}`;
    shape.xaxis.range = [first, last.slice(0, 8) + "28"];
    shape.yaxis.autorange = true;
    if (!phone()) {
      shape.xaxis.rangeselector = {
        y: 1.02, bgcolor: colour("panel"), activecolor: colour("line"), font: { color: colour("ink") },
        buttons: [6, 20].map(count => ({ count, step: "year", stepmode: "backward", label: `${count} years` })).concat({ step: "all", label: "all" }),
      };
    }
    Plotly.react(target, traces, shape, settings());

    const parts = document.getElementById("components");
    if (parts && data.trend) {
      const two = layout(unit, "");
      two.grid = { rows: 2, columns: 1, pattern: "coupled", roworder: "top to bottom" };
      two.showlegend = false;
      two.yaxis.title.text = `trend, ${unit}`;
      two.yaxis2 = { ...two.yaxis, title: { text: `season, ${unit}`, font: two.yaxis.title.font } };
      two.yaxis.domain = [0.55, 1];
      two.yaxis2.domain = [0, 0.45];
      const traces = [line(data.trend.date, data.trend.trend, "trend", { color: good, width: 2 }, unit)];
      if (data.seasonal) traces.push(line(data.seasonal.date, data.seasonal.seasonal, "season", { color: third, width: 1.2 }, unit, { yaxis: "y2" }));
      Plotly.react(parts, traces, two, settings());
    }
    window.drawPast();
  };

  // Loaded after the rest, so that earlier runs do not hold up the page.
  window.drawPast = () => {
    const target = document.getElementById("plot");
    const past = read("past-data");
    if (!target?.data || !past || target.data.some(trace => trace.name === "past forecasts")) return;
    const distance = (from, to) => from.map((value, at) => Math.abs(to[at] - value));
    Plotly.addTraces(target, {
      x: past.date, y: past.mean, name: "past forecasts", mode: "markers", visible: "legendonly",
      marker: { color: colour("third"), size: 7, symbol: "circle-open", line: { width: 2 } },
      error_y: { type: "data", symmetric: false, array: distance(past.mean, past.q90), arrayminus: distance(past.mean, past.q10), color: colour("third"), thickness: 1, width: 3 },
      hovertemplate: `%{y:.2f} ${target.dataset.unit}<extra>forecast the month before</extra>`,
    });
  };

  document.addEventListener("themechange", () => window.drawPlots());
})();
