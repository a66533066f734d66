// Every form works without this. With it, a form is sent once per click, and leaving unsaved changes warns first.
"use strict";

/** How long a button stays busy, in milliseconds: a form may lead to a download, after which the page is still there. */
const BUSY = 5000;

function isChanged(field) {
  // What a password manager fills in was not typed.
  if (["hidden", "password", "submit", "button"].includes(field.type) || field.disabled || !field.name || field.matches(":autofill")) return false;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.options) {
    const chosen = [...field.options].filter((option) => option.defaultSelected);
    const first = chosen.length ? chosen[chosen.length - 1] : field.options[0];
    return field.multiple ? [...field.options].some((option) => option.selected !== option.defaultSelected) : !first?.selected;
  }
  return field.value !== field.defaultValue;
}

/** A form that was refused, or filled in again after a sign-in, is not saved however little is changed in it. */
function isUnsaved(form) {
  return form.dataset.unsaved === "changed" || [...form.elements].some(isChanged);
}

function rest(form) {
  delete form.dataset.busy;
  for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
}

// On the window, so that a handler of the page itself has its say first.
window.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
  if ("busy" in form.dataset) {
    event.preventDefault();
    return;
  }
  form.dataset.busy = "true";
  event.submitter?.setAttribute("aria-busy", "true");
  setTimeout(rest, BUSY, form);
});

window.addEventListener("beforeunload", (event) => {
  const forms = [...document.querySelectorAll("form[data-unsaved]")];
  if (forms.some((form) => !("busy" in form.dataset) && isUnsaved(form)) && !document.querySelector("form[data-busy]")) {
    event.preventDefault();
  }
});

// The browser can restore the page from its memory, busy buttons included.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) for (const form of document.forms) rest(form);
});

// Menus are <details>: a click elsewhere and Escape close them.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// "/" goes to the search of the page.
document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea, [contenteditable]")) return;
  const search = document.querySelector("[data-shortcut='/']");
  if (search) {
    event.preventDefault();
    search.focus();
    search.select();
  }
});

// A form that asks first: the page has one dialog, filled with the question of the form.
const confirmation = document.getElementById("confirmation");
for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.confirmed || !confirmation) return;
    event.preventDefault();
    confirmation.querySelector("p").textContent = form.dataset.confirm;
    const submitter = event.submitter;
    confirmation.onclose = () => {
      if (confirmation.returnValue !== "yes") return;
      form.dataset.confirmed = "true";
      form.requestSubmit(submitter);
      delete form.dataset.confirmed;
    };
    confirmation.returnValue = "";
    confirmation.showModal();
  });
}

/**
 * Show the buttons that work only with a script, and open the list of operations where it stands beside the page.
 * Pages that load parts of themselves call this for each part.
 */
function prepareParts(root) {
  for (const opener of root.querySelectorAll("[data-opens]")) opener.hidden = false;
  for (const button of root.querySelectorAll("[data-copies]")) button.hidden = !navigator.clipboard;
  if (!matchMedia("(min-width: 62.01rem)").matches) return;
  for (const list of root.querySelectorAll(".operations > details")) list.open = true;
}
prepareParts(document);

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("[data-opens], [data-closes], [data-copies]");
  if (!button) return;
  if ("opens" in button.dataset) document.getElementById(button.dataset.opens).showModal();
  if ("closes" in button.dataset) button.closest("dialog").close();
  if ("copies" in button.dataset) {
    const source = document.getElementById(button.dataset.copies);
    await navigator.clipboard.writeText(source.value ?? source.textContent);
    const label = button.querySelector("span") ?? button;
    button.dataset.label ??= label.textContent;
    label.textContent = button.dataset.copied;
    setTimeout(() => { label.textContent = button.dataset.label; }, 2000);
  }
});

for (const select of document.querySelectorAll("select[data-submits]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

for (const button of document.querySelectorAll("button[data-shows]")) {
  const input = document.getElementById(button.dataset.shows);
  button.hidden = false;
  button.addEventListener("click", () => {
    const isShown = input.type === "text";
    input.type = isShown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!isShown));
  });
  // Browsers offer to remember passwords only.
  input.form.addEventListener("submit", () => { input.type = "password"; });
}

// Times stand in UTC; with a script, in the reader's own time zone.
const locale = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang; // as the server writes it
for (const time of document.querySelectorAll("time[data-local]")) {
  const style = time.dataset.local === "seconds" ? "long" : "short"; // the long one names the time zone
  const format = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: style });
  time.title = `${time.title || time.textContent}`;
  time.textContent = format.format(new Date(time.dateTime));
  time.dir = "auto"; // in UTC it reads from left to right, in the words of the language as these do
}

document.querySelector("[autofocus]")?.focus();
