"use strict";
(function () {
  const root = document.documentElement;
  root.classList.add("scripts");

  // A page opened from disk may be refused any storage; then the choice lasts as long as the page.
  function remembered(key) { try { return localStorage.getItem("instructglm-" + key); } catch { return null; } }
  function remember(key, value) { try { localStorage.setItem("instructglm-" + key, value); } catch { /* see above */ } }

  function setLanguage(language) {
    root.dataset.lang = language;
    root.lang = language === "zh" ? "zh-CN" : "en";
  }
  if (remembered("theme")) root.dataset.theme = remembered("theme");
  if (remembered("lang")) setLanguage(remembered("lang"));

  function wireSwitches() {
    document.getElementById("theme").addEventListener("click", function () {
      const shown = root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
      root.dataset.theme = shown === "dark" ? "light" : "dark";
      remember("theme", root.dataset.theme);
    });
    document.getElementById("language").addEventListener("click", function () {
      setLanguage(root.dataset.lang === "zh" ? "en" : "zh");
      remember("lang", root.dataset.lang);
    });
  }

  function wireItems() {
    const list = document.getElementById("item-list");
    if (!list) return;
    const PAGE = 25;
    const items = Array.from(list.children, (node) => ({
      node, task: node.dataset.task, filters: node.dataset.filters.split(" "), text: node.textContent.toLowerCase(),
    }));
    const buttons = Array.from(document.querySelectorAll("[data-filter]"));
    const task = document.getElementById("item-task");
    const search = document.getElementById("item-search");
    const more = document.getElementById("more-items");
    let filter = "all";
    let limit = PAGE;

    function show() {
      const wanted = search.value.trim().toLowerCase();
      let matching = 0;
      for (const item of items) {
        const fits = (filter === "all" || item.filters.includes(filter))
          && (!task || !task.value || item.task === task.value)
          && (!wanted || item.text.includes(wanted));
        if (fits) matching += 1;
        item.node.hidden = !fits || matching > limit;
      }
      document.getElementById("num-shown").textContent = Math.min(limit, matching);
      document.getElementById("num-matching").textContent = matching;
      more.hidden = matching <= limit;
    }
    function restart() { limit = PAGE; show(); }

    for (const button of buttons) {
      button.addEventListener("click", function () {
        filter = button.dataset.filter;
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
        restart();
      });
    }
    if (task) task.addEventListener("change", restart);
    search.addEventListener("input", restart);
    more.addEventListener("click", function () { limit += PAGE; show(); });
    show();
  }

  document.addEventListener("DOMContentLoaded", function () { wireSwitches(); wireItems(); });
})();
