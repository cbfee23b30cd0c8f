import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { generate, targets } from "../scripts/client.mjs";

test("the generated clients are current", () => {
  for (const { from, to } of targets) assert.equal(readFileSync(to, "utf8"), generate(from), `${to}: run node scripts/client.mjs`);
});
