// Builds userapi/static/vendor from the packages in package.json. Run by `make styles`; what it writes is committed.
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { PurgeCSS } from "purgecss";
import * as sass from "sass";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "node_modules");
const app = join(here, "..", "userapi");
const vendor = join(app, "static", "vendor");

/** Classes that may be used without another build: whole families, so that a template can take the next member. */
const FAMILIES = [
  /^(alert|avatar|badge|breadcrumb|btn|card|col|container|datagrid|dropdown|empty|form|h[1-6]|icon|input-group)$/,
  /^(legend|list-group|list-inline|list-unstyled|nav|navbar|page|pagination|progress|row|status|steps?|table|timeline)$/,
  /^(alert|badge|btn|btn-outline|btn-ghost|status|table)-(primary|secondary|success|info|warning|danger)$/,
  /^alert-(heading|icon|description|title|link)$/,
  /^avatar-(xs|sm|md|lg|xl|rounded)$/,
  /^badge-(sm|lg|pill|outline)$|^badges-list$/,
  /^breadcrumb-(item|arrows)$/,
  /^btn-(sm|lg|icon|link|list|action|actions|group|ghost|loading)$|^btn-group/,
  /^card-(header|body|footer|title|subtitle|table|actions|sm|tabs|header-tabs|list-group)$/,
  /^datagrid-/,
  /^dropdown-(menu|item|divider|header|item-icon|toggle|menu-end)$/,
  /^empty-(icon|title|subtitle|action|header)$/,
  /^form-(control|select|check|switch|label|text|hint|fieldset|help|footer|label-description|check-(input|label|inline|description))(-sm|-lg)?$/,
  /^(is-invalid|invalid-feedback|disabled|active|show)$/,
  /^icon-(sm|md|lg|inline)$/,
  /^input-(group|group-text|group-flat|icon|icon-addon)$/,
  /^list-group-(item|flush|hoverable|item-action)$|^list-inline-item$/,
  /^nav-(link|item|tabs|pills|underline|vertical|link-icon|link-title|section-title)$/,
  /^navbar-(nav|brand|vertical|brand-image|toggler|collapse|expand|expand-(sm|md|lg|xl))$/,
  /^page-(header|title|pretitle|body|wrapper|link|item|subtitle)$/,
  /^progress-(bar|sm)$/,
  /^row-(cards|deck)$|^g[xy]?-[0-5]$|^col(-(sm|md|lg|xl))?(-(auto|[1-9]|1[0-2]))?$|^container-(tight|narrow|xl|fluid)$/,
  /^status-(dot|indicator|lite)$/,
  /^step-item$|^steps-(counter|vertical)$/,
  /^table-(vcenter|hover|sm|responsive|nowrap|striped|active)$/,
  /^timeline-/,
  /^subheader$|^lead$|^small$|^kbd$/,
];

const used = { content: [], css: [] };
const source = sass.compile(join(here, "tabler.scss"), {
  loadPaths: [join(modules, "@tabler", "core", "scss")],
  quietDeps: true,
  silenceDeprecations: ["import"],
  logger: sass.Logger.silent,
});
const purged = await new PurgeCSS().purge({
  ...used,
  content: [
    join(app, "templates", "**", "*.html"),
    join(app, "static", "*.js"),
    join(app, "static", "ui", "*.js"),
    join(app, "static", "admin", "*.js"),
  ],
  css: [{ raw: source.css }],
  safelist: { standard: FAMILIES, greedy: [/data-bs-theme/] },
  variables: true,
  keyframes: true,
});
const { css } = sass.compileString(purged[0].css, { syntax: "css", style: "compressed", logger: sass.Logger.silent });

const version = (name) => JSON.parse(readFileSync(join(modules, name, "package.json"))).version;
const recipe = createHash("sha256")
  .update(readFileSync(join(here, "tabler.scss")))
  .update(readFileSync(join(here, "build.mjs")))
  .digest("hex")
  .slice(0, 16);

mkdirSync(join(vendor, "tabler"), { recursive: true });
const notice = `/*! Tabler ${version("@tabler/core")}, MIT license, see LICENSE; the parts that the pages use, built by recipe ${recipe} */\n`;
writeFileSync(join(vendor, "tabler", "tabler.min.css"), notice + css.trim() + "\n");

cpSync(join(modules, "@tabler", "icons", "LICENSE"), join(vendor, "tabler", "LICENSE"));

/** One file for each icon, so that a template can include it by name. */
const icons = readFileSync(join(here, "icons.txt"), "utf8").split("\n").filter((line) => line && !line.startsWith("#"));
const folder = join(vendor, "tabler", "icons");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const name of icons) {
  const svg = readFileSync(join(modules, "@tabler", "icons", "icons", "outline", `${name}.svg`), "utf8");
  const paths = svg.replace(/<!--[\s\S]*?-->/g, "").match(/<svg[^>]*>([\s\S]*)<\/svg>/)[1];
  const drawn = paths.replace(/<path stroke="none" d="M0 0h24v24H0z"[^>]*>/, "");
  writeFileSync(join(folder, `${name}.svg`), drawn.replace(/\s*\n\s*/g, "").trim() + "\n");
}

mkdirSync(join(vendor, "uplot"), { recursive: true });
for (const name of ["uPlot.iife.min.js", "uPlot.min.css"]) {
  cpSync(join(modules, "uplot", "dist", name), join(vendor, "uplot", name));
}
cpSync(join(modules, "uplot", "LICENSE"), join(vendor, "uplot", "LICENSE"));
