// The interactive documentation: Swagger UI, signed in as the browser is, dark when the system is.
"use strict";

const SAFE_METHODS = ["GET", "HEAD", "OPTIONS"];
const page = document.getElementById("swagger-ui");
const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");

function applyColorScheme() {
  document.documentElement.classList.toggle("dark-mode", prefersDark.matches);
}

function cookie(name) {
  const found = document.cookie.split("; ").find((part) => part.startsWith(`${name}=`));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
}

// A session in cookies needs this header for every request that changes something.
function addCsrfToken(request) {
  const isOwn = new URL(request.url, window.location.href).origin === window.location.origin;
  const token = cookie("csrf_token");
  if (isOwn && token && !SAFE_METHODS.includes((request.method || "GET").toUpperCase())) {
    request.headers["X-CSRF-TOKEN"] = token;
  }
  return request;
}

const REGIONS = { ".information-container": "About", ".scheme-container": "Authorization", ".filter": "Filter" };

// Swagger UI leaves some of its parts and inputs without a name for screen readers.
function nameParts() {
  for (const [selector, name] of Object.entries(REGIONS)) {
    for (const part of page.querySelectorAll(selector)) {
      part.role = "region";
      part.ariaLabel = name;
    }
  }
  for (const input of page.querySelectorAll("select, input, textarea")) {
    const hasLabel = input.tagName !== "SELECT" && [...input.labels].some((label) => label.innerText.trim());
    const isNamed = input.ariaLabel || hasLabel;
    if (!isNamed) {
      const row = input.closest("tr");
      const name = row && row.querySelector(".parameter__name");
      const text = name ? name.textContent : input.title || input.placeholder || input.id || input.className;
      input.ariaLabel = text.replace(/[-_]+/g, " ").trim() || "Value";
    }
  }
}

// The browser keeps the authorization. All that a call needs of it is the access token, which soon expires.
const keepOnlyAccessToken = {
  statePlugins: {
    auth: {
      wrapActions: {
        authorizeOauth2: (authorize) => ({ auth, token: { access_token, token_type } }) =>
          authorize({ auth: { ...auth, password: "" }, token: { access_token, token_type } }),
      },
    },
  },
};

applyColorScheme();
prefersDark.addEventListener("change", applyColorScheme);
new MutationObserver(nameParts).observe(page, { childList: true, subtree: true });

SwaggerUIBundle({
  url: page.dataset.url,
  dom_id: "#swagger-ui",
  deepLinking: true,
  filter: true,
  tryItOutEnabled: true,
  persistAuthorization: true,
  plugins: [() => keepOnlyAccessToken],
  requestInterceptor: addCsrfToken,
  validatorUrl: null,
});
