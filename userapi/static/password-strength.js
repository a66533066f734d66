// Shows how strong a password is while it is typed. The service judges it, with the rules that decide later.
"use strict";

/** How long typing must pause before a password is rated, in milliseconds. */
const PAUSE = 400;

const TOO_MANY_REQUESTS = 429;

for (const box of document.querySelectorAll("[data-rates]")) {
  const input = document.getElementById(box.dataset.rates);
  const [bar, text] = [box.querySelector(".meter"), box.querySelector("small")];
  let timer, request;

  async function rate() {
    const email = input.form.querySelector("[autocomplete='username']");
    const body = new URLSearchParams({ csrf_token: box.dataset.token, password: input.value, email: email ? email.value : "" });
    request = new AbortController();
    try {
      const response = await fetch(box.dataset.url, { method: "POST", body, headers: { Accept: "application/json" }, signal: request.signal });
      box.hidden = !response.ok && response.status !== TOO_MANY_REQUESTS;
      bar.hidden = !response.ok;
      if (box.hidden) return;
      const rated = await response.json();
      bar.dataset.score = rated.score ?? 0;
      text.textContent = rated.text ?? rated.detail;
    } catch {
      box.hidden = true;
    }
  }

  input.addEventListener("input", () => {
    clearTimeout(timer);
    request?.abort();
    if (input.value) timer = setTimeout(rate, PAUSE);
    else box.hidden = true;
  });
  input.form.addEventListener("submit", () => {
    clearTimeout(timer);
    request?.abort();
  });
}
