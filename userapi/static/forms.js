// Every form works without this. With it, a form is sent once per click, and leaving unsaved changes warns first.
"use strict";

/** How long a button stays busy, in milliseconds: a form may lead to a download, after which the page is still there. */
const BUSY = 5000;

function isChanged(field) {
  // What a password manager fills in was not typed.
  if (["hidden", "password"].includes(field.type) || field.disabled || !field.name || field.matches(":autofill")) return false;
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
