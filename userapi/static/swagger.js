// Swagger UI, signed in as the browser is, in the theme of the other pages, with names for screen readers.
"use strict";

const SAFE_METHODS = ["GET", "HEAD", "OPTIONS"];
const page = document.getElementById("swagger-ui");
const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");

// The theme chosen on another page is an attribute; without it, the system decides.
function applyColorScheme() {
  const theme = document.documentElement.dataset.bsTheme;
  document.documentElement.classList.toggle("dark-mode", theme ? theme === "dark" : prefersDark.matches);
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

// Swagger UI leaves some of its parts and inputs without a name for screen readers.
function nameParts() {
  for (const button of page.querySelectorAll(".close-modal")) {
    button.ariaLabel = "Close";
  }
  for (const block of page.querySelectorAll("pre")) {
    block.tabIndex = 0; // so that it can be scrolled with the keyboard
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

let isDialogOpen = false;

// Swagger UI moves the focus to the last way to sign in, out of sight of the first.
function focusNewDialog() {
  const dialog = page.querySelector(".dialog-ux");
  if (dialog && !isDialogOpen) {
    dialog.querySelector("input")?.focus();
  }
  isDialogOpen = Boolean(dialog);
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

// The reference describes the API, so this page has only what one needs to try it. A page has one <main>, and a button
// contains no link, so neither the layout of Swagger UI nor its links to operations are used.
const onlyOperations = ({ React }) => {
  const element = React.createElement;
  const Layout = ({ getComponent, specSelectors }) => {
    const part = (name) => element(getComponent(name, true));
    if (specSelectors.loadingStatus() === "loading") {
      return element("p", { className: "swagger-ui" }, "…");
    }
    return element(
      "div",
      { className: "swagger-ui" },
      part("SvgAssets"),
      part("errors"),
      element("div", { className: "docs-authorize" }, part("AuthorizeBtnContainer"), part("FilterContainer")),
      part("operations"),
    );
  };
  return { components: { OnlyOperations: Layout, DeepLink: ({ text }) => element("span", null, text) } };
};

// Swagger UI handles changes of the hash itself, and the focus would stay on the link.
document.querySelector("a.skip").addEventListener("click", () => document.getElementById("content").focus());

applyColorScheme();
new MutationObserver(applyColorScheme).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
prefersDark.addEventListener("change", applyColorScheme);
new MutationObserver(() => {
  nameParts();
  focusNewDialog();
}).observe(page, { childList: true, subtree: true });

SwaggerUIBundle({
  url: page.dataset.url,
  dom_id: "#swagger-ui",
  deepLinking: true,
  filter: true,
  tryItOutEnabled: true,
  persistAuthorization: true,
  layout: "OnlyOperations",
  plugins: [() => keepOnlyAccessToken, onlyOperations],
  requestInterceptor: addCsrfToken,
  validatorUrl: null,
});
