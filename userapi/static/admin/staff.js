// The staff site works without this; with it, choices are counted.
"use strict";

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
  const boxes = [...form.elements].filter((field) => ["user", "session"].includes(field.name));
  const head = [...form.elements].find((field) => "chooseAll" in field.dataset);
  const count = form.querySelector("[data-count]");
  const tell = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    head.checked = chosen > 0 && chosen === boxes.length;
    head.indeterminate = chosen > 0 && chosen < boxes.length;
    form.classList.toggle("has-selection", chosen > 0);
    count.textContent = chosen ? count.dataset.count.replace("{}", chosen) : "";
  };
  head.addEventListener("change", () => {
    for (const box of boxes) box.checked = head.checked;
    tell();
  });
  for (const box of boxes) box.addEventListener("change", tell);
  tell();
}
