#!/usr/bin/env node
// Nothing else is imported here, so that a file that cannot be opened (ulimit -n) is one line too.
try {
  await import('./command-line.js');
} catch (error) {
  if (process.env.NNINIT_DEBUG) throw error;
  process.stderr.write(`nninit: could not start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
