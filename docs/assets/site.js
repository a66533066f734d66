// Names and keyboard access that the theme leaves out. The theme wraps tables and adds buttons to code while one reads.

document.querySelector(".md-search")?.setAttribute("aria-label", "Search");

function improve() {
  // The buttons of each code block are a landmark, so each needs a name of its own.
  document.querySelectorAll(".md-code__nav").forEach((nav, index) => nav.setAttribute("aria-label", `Code block ${index + 1}`));
  // What scrolls sideways can be scrolled with the keyboard.
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset pre > code")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

improve();
addEventListener("resize", improve);
new MutationObserver(improve).observe(document.querySelector(".md-content"), { childList: true, subtree: true });
