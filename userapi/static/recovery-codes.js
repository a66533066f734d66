// Copies and prints recovery codes. Without this, the link downloads them.
"use strict";

for (const button of document.querySelectorAll("[data-copies]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    const codes = [...document.querySelectorAll(`#${button.dataset.copies} code`)].map((code) => code.textContent);
    await navigator.clipboard.writeText(codes.join("\n"));
    button.querySelector("span").textContent = button.dataset.copied;
  });
}

for (const button of document.querySelectorAll("[data-prints]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
