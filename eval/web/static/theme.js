// Runs before the page is drawn, so that it never flashes in the other scheme.
(function () {
  let chosen = "auto";
  try {
    chosen = JSON.parse(localStorage.getItem("beasty.settings") || "{}").theme || "auto";
  } catch { /* private mode or damaged: the system's scheme */ }
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const theme = chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen;
    document.documentElement.dataset.theme = theme;
  };
  dark.addEventListener("change", apply);
  window.setTheme = (theme) => { chosen = theme; apply(); };
  apply();
})();
