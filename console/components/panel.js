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
