// What the console does beyond what pages do by themselves. Everything here is a shortcut: each form,
// link and menu works without it.
//
//   data-swap="id id"      a link or form: its answer replaces these parts of the page (`main` if empty)
//   data-auto              a form with data-swap or without: submitted when a filter changes
//   data-preview="url"     a form: its content is posted there while typing; the answer replaces the
//                          parts that data-into names
//   data-live="a b"        a part with an id: fetched anew when the events of data-events name a or b
//   data-events="url"      on main: the stream of server-sent events of the page
//   data-dialog            a link: its page's [data-panel] (else its main part) opens as a dialog
//   data-copy              a button beside a <code>: copies it
//   data-chart             a chart: the title of the slot under the pointer is written to [data-readout]
//   data-all               a box: ticks all [data-row] boxes of its form; [data-count] shows how many
//   data-back              a link: goes back when there is where to

const one = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

/* Fetching a page and putting parts of it in place. */

async function page(url, options = {}) {
  const answer = await fetch(url, { credentials: "same-origin", ...options, headers: { Accept: "text/html", ...options.headers } });
  const kind = answer.headers.get("content-type") ?? "";
  if (!kind.startsWith("text/html")) throw new Error(`no page: ${kind}`);
  const text = await answer.text();
  return { url: answer.url, ok: answer.ok, redirected: answer.redirected, document: new DOMParser().parseFromString(text, "text/html") };
}

function put(ids, found) {
  const focused = document.activeElement?.id;
  const followed = document.activeElement?.getAttribute("href");
  const place = document.activeElement?.selectionStart;
  for (const id of ids) {
    const [old, fresh] = [document.getElementById(id), found.getElementById(id)];
    if (!old || !fresh) return false;
    const held = old.contains(document.activeElement);
    old.replaceWith(document.adoptNode(fresh));
    wake(fresh);
    if (held && !focused && followed) one(`a[href="${CSS.escape(followed)}"]`, fresh)?.focus({ preventScroll: true });
  }
  const again = focused && document.getElementById(focused);
  if (again && again !== document.activeElement) {
    again.focus({ preventScroll: true });
    if (place != null && again.setSelectionRange && /^(text|search|tel|url|password|textarea)$/.test(again.type)) again.setSelectionRange(place, place);
  }
  return true;
}

let latest = 0;

async function swap(url, ids, { options, remember = true, mark } = {}) {
  const turn = ++latest;
  const parts = ids.map((id) => document.getElementById(id)).filter(Boolean);
  parts.forEach((part) => part.setAttribute("aria-busy", "true"));
  mark?.classList.add("is-busy");
  try {
    const found = await page(url, options);
    if (turn !== latest) return;
    // Elsewhere than asked: another page, with a word of what was done.
    const elsewhere = found.redirected && new URL(found.url).pathname !== location.pathname;
    if (!put(elsewhere ? ["main"] : ids, found.document)) return leave(found.url);
    document.title = found.document.title;
    if (elsewhere || (remember && found.url !== location.href)) history.pushState({ swapped: true }, "", found.url);
    const summary = one("[data-summary]");
    if (summary) summary.focus();
    say(one("[data-toast] p, [data-summary] p, [data-say]")?.textContent);
  } catch (error) {
    if (error.name !== "AbortError") leave(typeof url === "string" && !options?.method ? url : location.href);
  } finally {
    parts.forEach((part) => part.removeAttribute("aria-busy"));
    mark?.classList.remove("is-busy");
  }
}

const leave = (url) => location.assign(url);
const parts = (element) => (element.dataset.swap || "main").split(/\s+/);

function request(form, button) {
  const data = new FormData(form);
  if (button?.name) data.append(button.name, button.value);
  const words = new URLSearchParams([...data].filter(([, value]) => typeof value === "string"));
  const action = button?.getAttribute("formaction") ?? form.getAttribute("action") ?? location.href;
  const url = new URL(action, location.href);
  if (form.method !== "post") {
    // Filters that say nothing do not have to stand in the address.
    for (const [name, value] of [...words]) if (value === "") words.delete(name, value);
    url.search = words;
    return [url.href, {}];
  }
  return [url.href, { method: "POST", body: words }];
}

document.addEventListener("submit", (event) => {
  const [form, button] = [event.target, event.submitter];
  if (event.defaultPrevented || form.method === "dialog") return;
  if (!form.hasAttribute("data-swap") || form.enctype === "multipart/form-data") {
    // Sent once, however often the button is pressed.
    if (form.method === "post") {
      if (form.dataset.sent) return event.preventDefault();
      form.dataset.sent = "1";
      button?.classList.add("is-busy");
    }
    // The browser goes on by itself: what is told until then, such as that somebody has signed out, must
    // not lead it elsewhere. Where it stays, because a file came, the stream is taken up again.
    isLeaving = true;
    hush();
    setTimeout(() => ((isLeaving = false), listen()), 10_000);
    return;
  }
  event.preventDefault();
  const [url, options] = request(form, button);
  swap(url, parts(form), { options, mark: button });
});

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest("a[data-swap], a[data-dialog], a[data-back]");
  if (!link || link.target) return;
  if (link.hasAttribute("data-back") && history.length > 1 && document.referrer.startsWith(location.origin)) {
    event.preventDefault();
    history.back();
  } else if (link.hasAttribute("data-swap")) {
    event.preventDefault();
    swap(link.href, parts(link));
  } else if (link.hasAttribute("data-dialog")) {
    event.preventDefault();
    dialog(link);
  }
});

addEventListener("popstate", () => swap(location.href, ["main"], { remember: false }));
addEventListener("pageshow", () => all("form[data-sent]").forEach((form) => {
  delete form.dataset.sent;
  all(".is-busy", form).forEach((button) => button.classList.remove("is-busy"));
}));

/* Filters that submit themselves, previews while typing. */

const timers = new WeakMap();
function soon(form, pause, act) {
  clearTimeout(timers.get(form));
  timers.set(form, setTimeout(act, pause));
}

function changed(event) {
  const form = event.target.form;
  if (!form) return;
  const isTyping = event.type === "input" && /^(text|search|tel|number|textarea)$/.test(event.target.type);
  if (form.hasAttribute("data-auto") && (isTyping || event.type === "change")) soon(form, isTyping ? 300 : 0, () => form.requestSubmit());
  if (form.dataset.preview) soon(form, isTyping ? 180 : 0, () => preview(form));
}
document.addEventListener("input", changed);
document.addEventListener("change", changed);

const running = new WeakMap();
async function preview(form) {
  running.get(form)?.abort();
  const stop = new AbortController();
  running.set(form, stop);
  const [, options] = request(form);
  const body = options.body ?? new URLSearchParams(new FormData(form));
  try {
    const found = await page(form.dataset.preview, { method: "POST", body, signal: stop.signal });
    // What says the same stays, so that no button is taken away under a pointer that is about to press it.
    const isOther = (id) => !document.getElementById(id)?.isEqualNode(found.document.getElementById(id));
    put((form.dataset.into ?? "preview").split(/\s+/).filter(isOther), found.document);
  } catch {
    // The page that follows says it all again.
  }
}

/* What changes by itself. */

let stream, listening, left, isLeaving = false;
function listen() {
  // A page that nobody sees holds no stream: browsers have few connections to a place.
  const wanted = (!document.hidden && !isLeaving && one("[data-live]") && one("[data-events]")?.dataset.events) || "";
  const [path] = wanted.split("?");
  if (path === (listening ?? "")) return;
  hush();
  if (!path) return;
  listening = path;
  // Whoever has listened before goes on where that ended, and hears what has changed since.
  stream = new EventSource(left?.path === path ? `${path}?since=${left.id}` : wanted);
  stream.addEventListener("message", (event) => {
    if (event.lastEventId) left = { path, id: event.lastEventId };
    told(event.data.split(/\s+/));
  });
  stream.addEventListener("error", () => {
    // It comes back by itself unless it was refused: then there were too many, or this person may not be
    // here any more, as the page itself says.
    if (stream?.readyState !== EventSource.CLOSED) return;
    hush();
    told(["main"]);
    setTimeout(listen, 30_000);
  });
}
function hush() {
  stream?.close();
  stream = listening = undefined;
}
addEventListener("pagehide", hush);
addEventListener("pageshow", () => ((isLeaving = false), listen()));
document.addEventListener("visibilitychange", listen);

const stale = new Set();
let isFetching = false, mustAsk = false;
function told(words) {
  for (const part of all("[data-live]")) if (part.dataset.live.split(/\s+/).some((word) => words.includes(word))) stale.add(part.id);
  // May this person see it at all, and does it look the same to them? The page itself says.
  if (words.includes("main")) {
    stale.add("main");
    mustAsk = true;
  }
  refresh();
}
async function refresh() {
  const ids = [...stale].filter((id) => !isAtWork(document.getElementById(id)));
  if (isFetching || (!ids.length && !mustAsk)) return;
  isFetching = true;
  mustAsk = false;
  ids.forEach((id) => stale.delete(id));
  const here = location.href;
  let pause = 250;
  try {
    const found = await page(here, { headers: { "X-By-Itself": "1" } });
    if (location.href !== here || isLeaving) return;
    if (found.redirected && new URL(found.url).pathname !== location.pathname) return leave(found.url);
    // What may not be seen any more goes, whoever is at work in it.
    if (!found.ok) return leave(here);
    for (const id of ids) {
      if (isAtWork(document.getElementById(id))) stale.add(id);
      else put([id], found.document);
    }
  } catch {
    // The server is away, or slow: all of it is asked for again.
    ids.forEach((id) => stale.add(id));
    mustAsk ||= ids.includes("main");
    pause = 5_000;
  } finally {
    isFetching = false;
  }
  if (stale.size) setTimeout(refresh, pause);
}
// Nothing is pulled away under a hand that is at work in it.
function isAtWork(part) {
  if (!part) return false;
  const selection = getSelection();
  return part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, button:focus-visible, summary:focus-visible")
    || Boolean(one("details.menu[open], details.confirm[open]", part))
    || (!selection.isCollapsed && selection.containsNode(part, true));
}
document.addEventListener("focusout", () => setTimeout(refresh));

/* Dialogs, menus, small things. */

async function dialog(link) {
  try {
    const found = await page(link.href);
    const panel = one("[data-panel]", found.document) ?? one("main", found.document);
    const box = document.createElement("dialog");
    box.setAttribute("aria-label", one("h1", panel)?.textContent ?? link.textContent);
    const close = document.createElement("button");
    close.type = "button";
    close.className = "icon-button dialog-close";
    close.setAttribute("aria-label", "Close");
    close.innerHTML = '<svg class="icon" aria-hidden="true"><use href="#i-close"></use></svg>';
    close.addEventListener("click", () => box.close());
    box.append(close, ...panel.childNodes);
    all("form:not([action])", box).forEach((form) => form.setAttribute("action", link.href));
    box.addEventListener("close", () => { box.remove(); link.focus(); });
    box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
    document.body.append(box);
    wake(box);
    box.showModal();
  } catch {
    leave(link.href);
  }
}

document.addEventListener("click", (event) => {
  for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  const copy = event.target.closest("[data-copy]");
  if (copy) copied(copy);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const open = event.target.closest?.("details.menu[open], details.confirm[open]");
    if (open) {
      open.open = false;
      one("summary", open).focus();
    }
  }
  // A slash leads to the search of the page.
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !event.target.closest("input, textarea, select, [contenteditable]")) {
    const search = one("main input[type=search]");
    if (search) {
      event.preventDefault();
      search.focus();
    }
  }
});

async function copied(button) {
  const text = one("code", button.parentElement)?.textContent ?? "";
  try {
    await navigator.clipboard.writeText(text);
    one("use", button)?.setAttribute("href", "#i-check");
    say("Copied");
    setTimeout(() => one("use", button)?.setAttribute("href", "#i-copy"), 1600);
  } catch {
    getSelection().selectAllChildren(one("code", button.parentElement));
  }
}

/* For those who hear the page. */
let voice;
function say(words) {
  if (!words) return;
  if (!voice) {
    voice = document.createElement("p");
    voice.className = "unseen";
    voice.setAttribute("role", "status");
    document.body.append(voice);
  }
  voice.textContent = "";
  requestAnimationFrame(() => { voice.textContent = words; });
}

/* Charts: what is pointed at, in words. */
for (const kind of ["pointerover", "focusin"]) {
  document.addEventListener(kind, (event) => {
    const slot = event.target.closest?.(".chart .slot");
    const readout = slot && one("[data-readout]", slot.closest("[data-chart]"));
    if (readout) readout.textContent = one("title", slot).textContent;
  });
}

/* Boxes of a list. */
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-all], [data-row]")) return;
  const root = event.target.closest("form, main");
  const rows = all("[data-row]", root);
  if (event.target.matches("[data-all]")) rows.forEach((row) => { row.checked = event.target.checked; });
  count(root, rows);
});
function count(root, rows) {
  const ticked = rows.filter((row) => row.checked).length;
  const every = one("[data-all]", root);
  if (every) {
    every.checked = ticked > 0 && ticked === rows.length;
    every.indeterminate = ticked > 0 && ticked < rows.length;
  }
  all("[data-count]", root).forEach((place) => { place.textContent = ticked; });
  all("[data-bulk]", root).forEach((bar) => { bar.hidden = ticked === 0; });
}

/* Parts that have just come into the page. */
function wake(root) {
  all("[data-copy]", root).forEach((button) => { button.hidden = false; });
  all("input[data-password]", root).forEach(show);
  for (const bar of all("[data-bulk]", root)) {
    const form = bar.closest("form, main");
    count(form, all("[data-row]", form));
  }
  listen();
}
function show(input) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "password-show";
  button.textContent = "Show";
  button.setAttribute("aria-label", "Show the password");
  button.setAttribute("aria-pressed", "false");
  button.addEventListener("click", () => {
    const isShown = input.type === "text";
    input.type = isShown ? "password" : "text";
    button.textContent = isShown ? "Show" : "Hide";
    button.setAttribute("aria-pressed", String(!isShown));
  });
  input.after(button);
}

wake(document);
