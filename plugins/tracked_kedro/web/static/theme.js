// Dark or light as Airflow's own pages are set; they keep the choice of this browser under "theme".
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const set = () => {
    const chosen = localStorage.getItem("theme");
    const dark = chosen === "dark" || (chosen !== "light" && system.matches);
    const wanted = dark ? "dark" : "light";
    if (document.documentElement.dataset.theme === wanted) return;
    document.documentElement.dataset.theme = wanted;
    document.dispatchEvent(new Event("themechange"));
  };
  set();
  addEventListener("storage", set);
  system.addEventListener("change", set);
  if (window.self !== window.top) document.documentElement.classList.add("framed");
})();
