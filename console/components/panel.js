// Draws markup that Python made and escaped, and tells Python which boxes are ticked. Links keep their real address, so
// that they can be copied or opened in a new tab; a plain click stays in the session.
const seen = new WeakMap();

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".panel");
  const state = seen.get(root) ?? { html: null, ticked: new Set() };
  seen.set(root, state);

  if (state.html !== data.html) {
    const focused = parentElement.activeElement?.id;
    root.innerHTML = data.html;
    state.html = data.html;
    const boxes = [...root.querySelectorAll("input[data-tick]")];
    const offered = new Set(boxes.map((box) => box.dataset.tick));
    state.ticked = new Set([...state.ticked].filter((id) => offered.has(id)));
    boxes.forEach((box) => { box.checked = state.ticked.has(box.dataset.tick); });
    if (focused) root.querySelector(`[id="${CSS.escape(focused)}"]`)?.focus();
  }

  // Streamlit answers the browser's back and forward; a new entry followed by that signal is a step forward. Its own
  // switch_page would leave a half-changed address behind in the history.
  const go = (href) => {
    history.pushState(null, "", href);
    dispatchEvent(new PopStateEvent("popstate"));
  };
  if (data.go && state.gone !== data.step) {
    state.gone = data.step;
    go(data.go);
  }
  // j and k move along the rows, x ticks one, o or Enter opens it; never while something is being typed
  if (data.keys && !state.onKey) {
    state.onKey = (event) => {
      if (!root.isConnected) {
        document.removeEventListener("keydown", state.onKey);
        state.onKey = null;
        return;
      }
      const typing = event.composedPath().some((one) => one.matches?.("input:not([type=checkbox]), textarea, select, [contenteditable], [role=dialog], [role=listbox]"));
      if (typing || event.metaKey || event.ctrlKey || event.altKey) return;
      const rows = [...root.querySelectorAll("tbody tr[data-href]")];
      const at = rows.findIndex((row) => row.dataset.href === state.at);
      if (event.key === "j" || event.key === "k") {
        const next = rows[event.key === "j" ? Math.min(at + 1, rows.length - 1) : Math.max(at - 1, 0)];
        if (!next) return;
        state.at = next.dataset.href;
        rows.forEach((row) => row.classList.toggle("at", row === next));
        next.scrollIntoView({ block: "nearest" });
      } else if (at >= 0 && event.key === "x") {
        rows[at].querySelector("input[data-tick]")?.click();
      } else if (at >= 0 && (event.key === "o" || event.key === "Enter") && event.composedPath()[0] === document.body) {
        go(state.at);
      } else return;
      event.preventDefault();
    };
    document.addEventListener("keydown", state.onKey);
  }
  root.querySelectorAll("tbody tr[data-href]").forEach((row) => row.classList.toggle("at", row.dataset.href === state.at));
  root.onclick = (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (event.target.closest("input")) return;
    const link = event.target.closest("a[href]");
    if (link) {
      if (!link.target) {
        event.preventDefault();
        go(link.getAttribute("href"));
      }
      return;
    }
    const row = event.target.closest("tr[data-href]");
    if (row && !String(getSelection())) go(row.dataset.href);
  };
  root.onchange = (event) => {
    const box = event.target.closest("input[type=checkbox]");
    if (!box) return;
    const all = [...root.querySelectorAll("input[data-tick]")];
    if (box.dataset.tickAll !== undefined) all.forEach((one) => { one.checked = box.checked; });
    state.ticked = new Set(all.filter((one) => one.checked).map((one) => one.dataset.tick));
    setStateValue("ticked", [...state.ticked]);
  };
}
