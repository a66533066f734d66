// The staff site works without this; with it, names are changed in the list and choices are counted.
"use strict";

const csrf = document.querySelector("input[name=csrf_token]")?.value ?? "";

for (const button of document.querySelectorAll("[data-toggles]")) {
  const target = document.getElementById(button.dataset.toggles);
  button.addEventListener("click", () => {
    const isOpen = target.classList.toggle("open");
    button.setAttribute("aria-expanded", String(isOpen));
  });
}

for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    if (!window.confirm(form.dataset.confirm)) event.preventDefault();
  });
}

for (const part of document.querySelectorAll("[data-again]")) {
  const look = () => {
    // Who is in the middle of something is not disturbed.
    if (document.activeElement?.closest("form")) setTimeout(look, part.dataset.again * 1000);
    else window.location.reload();
  };
  setTimeout(look, part.dataset.again * 1000);
}

for (const input of document.querySelectorAll("input[data-narrows]")) {
  const items = document.getElementById(input.dataset.narrows).children;
  input.addEventListener("input", () => {
    const wanted = input.value.trim().toLowerCase();
    for (const item of items) item.hidden = !item.textContent.toLowerCase().includes(wanted);
  });
}

for (const form of document.querySelectorAll("form[data-selection]")) {
  const boxes = [...form.querySelectorAll("input[name=user]")];
  const head = form.querySelector("[data-choose-all]");
  const count = form.querySelector("[data-count]");
  const tell = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    head.checked = chosen > 0 && chosen === boxes.length;
    head.indeterminate = chosen > 0 && chosen < boxes.length;
    count.textContent = chosen ? count.dataset.count.replace("{}", chosen) : "";
  };
  head.addEventListener("change", () => {
    for (const box of boxes) box.checked = head.checked;
    tell();
  });
  for (const box of boxes) box.addEventListener("change", tell);
  tell();
}

/** Turn a name in the list into an input; Enter saves, Escape gives up. */
function editInPlace(button) {
  const input = document.createElement("input");
  input.className = "form-control in-place-input";
  input.value = button.dataset.seen;
  input.setAttribute("aria-label", button.getAttribute("aria-label"));
  const problem = document.createElement("small");
  problem.className = "error";
  problem.setAttribute("role", "alert");
  button.hidden = true;
  button.after(input, problem);
  input.focus();
  input.select();

  let isOver = false;
  const close = () => {
    isOver = true;
    input.remove();
    problem.remove();
    button.hidden = false;
    button.focus();
  };
  const save = async () => {
    if (isOver) return;
    if (input.value === button.dataset.seen) return close();
    const body = new URLSearchParams({ name: button.dataset.name, value: input.value, seen: button.dataset.seen });
    const response = await fetch(button.dataset.url, {
      method: "POST",
      body,
      headers: { "X-CSRF-TOKEN": csrf, Accept: "application/json" },
    }).catch(() => null);
    const answer = await response?.json().catch(() => null);
    if (!response?.ok) {
      problem.textContent = answer?.detail ?? button.closest("form").dataset.failed;
      input.setAttribute("aria-invalid", "true");
      return;
    }
    button.dataset.seen = answer.value;
    button.textContent = answer.value || "–";
    close();
  };
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      save();
    }
    if (event.key === "Escape") close();
  });
  input.addEventListener("blur", () => input.value === button.dataset.seen && !isOver && close());
}

for (const button of document.querySelectorAll("button.in-place")) {
  button.addEventListener("click", () => editInPlace(button));
}

document.querySelector("[autofocus]")?.focus();
