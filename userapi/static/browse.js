// Sends the writes that a plain form cannot, and puts the page that answers where the last answer stood. Everything
// that is shown was laid out and escaped by the server; what was typed is only ever read.
"use strict";

const NOTICE = "browse-notice";

/** What the inputs of a form say, as the body of its method: a PATCH holds what was changed, a POST what was filled in. */
function bodyOf(form, method) {
  const body = {};
  for (const input of form.querySelectorAll(".inputs [name]")) {
    const group = input.closest("[data-group]");
    const name = group ? input.name.slice(group.dataset.group.length + 1) : input.name;
    const place = group ? (body[group.dataset.group] ??= {}) : body;
    if (method === "PUT" || differs(input) || (method === "POST" && isFilled(input))) place[name] = valueOf(input);
  }
  for (const group of form.querySelectorAll("[data-group]")) settle(body, group, method);
  return body;
}

function differs(input) {
  if (input.type === "checkbox") return input.checked !== input.defaultChecked;
  if (input.options) return [...input.options].some((option) => option.selected !== option.defaultSelected);
  return input.value !== input.defaultValue;
}

function isFilled(input) {
  return input.type === "checkbox" ? input.checked : input.value !== "";
}

function valueOf(input) {
  if (input.type === "checkbox") return input.checked;
  if (input.type === "number" && input.value !== "") return Number(input.value);
  return input.value === "" && "nullable" in input.dataset ? null : input.value;
}

/** An object of which nothing is said is left out where it may be, and is null in a whole document. */
function settle(body, group, method) {
  const { group: name } = group.dataset;
  const inputs = [...group.querySelectorAll("[name]")];
  if (method === "PUT") {
    const isUntouched = !inputs.some((input) => isFilled(input) || differs(input));
    if (isUntouched && "nullable" in group.dataset) body[name] = null;
  } else if (!Object.keys(body[name]).length && !("required" in group.dataset)) {
    delete body[name];
  }
}

/** Everything that a body may hold, to be edited as text. */
function wholeBodyOf(form, method) {
  if (method !== "POST") return bodyOf(form, "PUT");
  const body = {};
  for (const input of form.querySelectorAll(".inputs [name]")) {
    const group = input.closest("[data-group]");
    if (group) (body[group.dataset.group] ??= {})[input.name.slice(group.dataset.group.length + 1)] = valueOf(input);
    else if (input.required || isFilled(input)) body[input.name] = valueOf(input);
  }
  return body;
}

/** The body that a form sends, as text; undefined for a form without inputs. */
function textOf(form) {
  const text = form.querySelector("textarea");
  if (!text) return undefined;
  return text.closest("[role=tabpanel]").hidden ? JSON.stringify(bodyOf(form, form.dataset.method), null, 2) : text.value;
}

/** Write the curl command of a form as the form stands. Secrets become variables: `"password": "$PASSWORD"`. */
function showCommand(form) {
  const command = form.querySelector("[data-head]");
  const body = textOf(form);
  if (body === undefined) return;
  let quoted = `'${body.replaceAll("'", "'\\''")}'`;
  for (const { name } of form.querySelectorAll("[data-secret]")) {
    const value = new RegExp(`("${name}"\\s*:\\s*)"(?:[^"\\\\\\n]|\\\\.)+("|$)`, "gm");
    quoted = quoted.replace(value, (_whole, key) => `${key}"'"$${name.toUpperCase()}"'"`);
  }
  command.textContent = `${command.dataset.head} \\\n  -d ${quoted}`;
}

async function ask(path, method, { body, etag, csrfToken } = {}) {
  const headers = { Accept: "text/html" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (etag) headers["If-Match"] = etag;
  if (csrfToken) headers["X-CSRF-TOKEN"] = csrfToken;
  const response = await fetch(path, { method, headers, body });
  const isPage = response.headers.get("Content-Type")?.startsWith("text/html");
  const page = isPage ? new DOMParser().parseFromString(await response.text(), "text/html") : null;
  return { response, page };
}

function put(selector, page) {
  const present = document.querySelector(selector);
  const next = page.querySelector(selector);
  if (present && next) present.replaceWith(document.adoptNode(next));
}

/** Show the answer, and let a screen reader come to it. */
function showAnswer(page) {
  put("#answer", page);
  prepare(document.getElementById("answer"));
  document.getElementById("answer").focus();
}

function showUnreachable() {
  document.querySelector("[data-unreachable]").hidden = false;
}

function clearErrors(form) {
  for (const error of form.querySelectorAll("small.error")) error.remove();
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

/** Say beside each field what the answer says of it. */
function placeErrors(form) {
  for (const item of document.querySelectorAll("#answer [data-field]")) {
    const { field } = item.dataset;
    const target = [...form.querySelectorAll(".inputs [name]")].find((input) => input.name === field);
    const group = [...form.querySelectorAll("[data-group]")].find((found) => found.dataset.group === field);
    if (!target && !group) continue;
    const error = document.createElement("small");
    error.className = "error";
    error.textContent = item.lastChild.textContent.replace(/^: /, "");
    if (group) {
      group.querySelector("legend").after(error);
      continue;
    }
    error.id = `${target.id}-error`;
    target.setAttribute("aria-invalid", "true");
    target.setAttribute("aria-describedby", [document.getElementById(`${target.id}-hint`)?.id, error.id].filter(Boolean).join(" "));
    if (target.type === "checkbox") target.closest("label").after(error);
    else target.before(error);
  }
}

/** Bring everything but the answer up to date: the forms, and who is signed in. */
async function refresh() {
  const { page } = await ask(location.href, "GET");
  if (!page) return;
  const open = [...document.querySelectorAll("details[open]")].map((details) => details.id);
  for (const selector of [".topbar", ".operations", "#caller", "#writes"]) put(selector, page);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  prepare(document);
}

async function send(form, button) {
  if (button.hasAttribute("aria-busy")) return; // a second click
  const { method, etag, leadsTo, done } = form.dataset;
  const body = textOf(form);
  button.setAttribute("aria-busy", "true");
  try {
    const csrfToken = form.querySelector("input[name=csrf_token]")?.value;
    const { response, page } = await ask(form.getAttribute("action"), method, { body, etag, csrfToken });
    form.querySelector("dialog")?.close();
    if (response.status === 204) {
      sessionStorage.setItem(NOTICE, done);
      location.assign(leadsTo);
      return;
    }
    clearErrors(form);
    if (!page) return showUnreachable();
    showAnswer(page);
    if (response.ok) await refresh();
    else placeErrors(form);
  } catch {
    form.querySelector("dialog")?.close();
    showUnreachable();
  } finally {
    button.removeAttribute("aria-busy");
  }
}

function choose(tab) {
  const form = tab.closest("form");
  for (const other of tab.parentElement.children) {
    const isChosen = other === tab;
    other.setAttribute("aria-selected", String(isChosen));
    other.tabIndex = isChosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !isChosen;
  }
  const text = form.querySelector("textarea");
  if (text && !text.closest("[role=tabpanel]").hidden) {
    text.value = JSON.stringify(wholeBodyOf(form, form.dataset.method), null, 2);
  }
  showCommand(form);
}

/** What only works with a script is offered once there is one. */
function prepare(root) {
  for (const tabs of root.querySelectorAll("[role=tablist]")) tabs.hidden = false;
  for (const button of root.querySelectorAll("[data-options]")) button.hidden = false;
  for (const button of root.querySelectorAll(".write button[disabled]")) button.disabled = false;
  for (const form of root.querySelectorAll(".write form")) showCommand(form);
  prepareParts(root);
}

/** Open the form that the URL names. */
function openNamed() {
  const named = document.getElementById(location.hash.slice(1));
  if (named?.matches(".write")) named.open = true;
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches(".write form")) return;
  event.preventDefault();
  send(event.target, event.submitter ?? event.target.querySelector("button[type=submit]"));
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.matches("[role=tab]")) choose(button);
  if (button.dataset.options) {
    try {
      const { page } = await ask(button.dataset.options, "OPTIONS");
      if (page) showAnswer(page);
    } catch {
      showUnreachable();
    }
  }
});

for (const kind of ["input", "change"]) {
  document.addEventListener(kind, ({ target }) => {
    const form = target.closest(".write form");
    if (form) showCommand(form);
  });
}

// What is folded is copied too: the text is JSON, not what can be seen of it.
document.addEventListener("copy", (event) => {
  const selection = getSelection();
  if (!selection.rangeCount || !document.getElementById("json")?.contains(selection.getRangeAt(0).commonAncestorContainer)) return;
  event.clipboardData.setData("text/plain", selection.getRangeAt(0).cloneContents().textContent);
  event.preventDefault();
});

window.addEventListener("hashchange", openNamed);

document.addEventListener("keydown", (event) => {
  const tab = event.target.closest?.("[role=tab]");
  if (!tab || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  const other = tab.nextElementSibling ?? tab.previousElementSibling;
  choose(other);
  other.focus();
});

const notice = sessionStorage.getItem(NOTICE);
if (notice) {
  sessionStorage.removeItem(NOTICE);
  const line = document.createElement("p");
  line.className = "notice";
  line.setAttribute("role", "status");
  line.textContent = notice;
  document.getElementById("content").prepend(line);
}
prepare(document);
openNamed();

const list = document.querySelector(".operations");
const here = list.querySelector("[aria-current]");
if (here) list.scrollTop = here.offsetTop - list.clientHeight / 2;
