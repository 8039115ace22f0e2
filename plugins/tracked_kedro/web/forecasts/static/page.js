// Without scripts every form and link works by loading a page; with them only what changes is replaced.
const later = (wait, act) => {
  let timer;
  return (...values) => { clearTimeout(timer); timer = setTimeout(() => act(...values), wait); };
};

let newest = 0;
async function show(address, push = true) {
  const mine = ++newest;
  const main = document.getElementById("main");
  main.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (answer.redirected && new URL(answer.url).pathname !== new URL(address, location.href).pathname) throw new Error("login");
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== newest) return;
    const focused = document.activeElement?.id;
    const typed = document.getElementById("q")?.value;
    main.replaceChildren(...page.getElementById("main").childNodes);
    document.title = page.title;
    if (push) history.pushState(null, "", address); else history.replaceState(null, "", address);
    if (focused) document.getElementById(focused)?.focus();
    const search = document.getElementById("q");
    if (search && focused === "q") { search.value = typed; search.setSelectionRange(typed.length, typed.length); }
    begin();
  } catch {
    location.assign(address);
  } finally {
    main.removeAttribute("aria-busy");
  }
}

function asked(form) {
  const values = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  return `${form.getAttribute("action") || location.pathname}?${values}`;
}

function begin() {
  const form = document.querySelector("form.ask");
  const slider = document.getElementById("slider");
  if (slider) {
    const months = form.dataset.months.split(" ");
    const go = later(150, () => show(asked(form)));
    slider.addEventListener("input", () => {
      const month = months[slider.value];
      document.getElementById("slider-month").textContent = month;
      slider.setAttribute("aria-valuetext", month);
      form.elements.month.value = month;
      go();
    });
  } else if (form) {
    form.addEventListener("submit", event => { event.preventDefault(); show(asked(form)); });
    form.querySelectorAll("select").forEach(select => select.addEventListener("change", () => show(asked(form))));
    document.getElementById("q")?.addEventListener("input", later(250, () => show(asked(form), false)));
  }
  window.drawPlots?.();
  const past = document.getElementById("past");
  if (past) {
    fetch(past.dataset.src).then(answer => answer.text().then(text => {
      if (!answer.ok) throw new Error(text);
      past.replaceChildren(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
      window.drawPast?.();
    })).catch(() => { past.querySelector("p").textContent = "The forecasts of earlier runs could not be read; load this page again."; });
  }
}

document.addEventListener("click", event => {
  const link = event.target.closest("thead a, nav.pager a, a.bar, a.chip, .months a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  show(link.getAttribute("href"));
});
// Airflow's frame lets no page of it open or leave for another; the page around it, from the same server, may.
document.addEventListener("click", event => {
  const link = event.target.closest("a[target=_top]");
  if (!link || window.self === window.top) return;
  event.preventDefault();
  const outside = window.top.document.createElement("a");
  outside.href = link.href;
  if (event.ctrlKey || event.metaKey || link.dataset.leaves !== undefined) outside.target = "_blank";
  outside.rel = "noopener";
  outside.click();
});
addEventListener("popstate", () => show(location.href, false));
document.addEventListener("DOMContentLoaded", begin);
