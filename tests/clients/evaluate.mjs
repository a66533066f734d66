// Run the scripts that a test sends, one line of JSON each, with the TypeScript client: node evaluate.mjs (in the folder of the package).

import { createInterface } from "node:readline";
import { mock } from "node:test";

import { Webhook } from "standardwebhooks";
import * as client from "userapi-client";
import * as verify from "userapi-client/verify";
import * as webhooks from "userapi-client/webhooks";

const AsyncFunction = (async () => {}).constructor;

const elapsed = performance.now.bind(performance);
let ahead = 0;
performance.now = () => elapsed() + ahead;

/** The clock of scripts: `setClock(seconds)` sets it to another time, as someone who corrects it does. */
function setClock(seconds) {
  const now = Date.now() + seconds * 1000;
  mock.timers.reset();
  mock.timers.enable({ apis: ["Date"], now });
}

/** `later(seconds)` lets time pass. */
function later(seconds) {
  ahead += seconds * 1000;
  setClock(seconds);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { script, values } = JSON.parse(line);
  const scope = { ...client, ...verify, ...webhooks, Webhook, later, setClock, ...values };
  let result;
  try {
    result = { value: (await new AsyncFunction(...Object.keys(scope), script)(...Object.values(scope))) ?? null };
  } catch (error) {
    result = { error: error.stack };
  }
  mock.timers.reset();
  ahead = 0;
  console.log(JSON.stringify(result));
}
