/** One line on each command, for `nninit --help`. */

export const generateSummary =
  "write a checkpoint: from a config.json, a recipe, a model's name, or like another checkpoint";
export const finishSummary = 'make a checkpoint of the parts that several processes wrote';
export const planSummary = 'print what generate would write';
export const verifySummary = 'check a checkpoint against its plan: every byte, or the distribution of each tensor';
export const serveSummary = 'serve checkpoints that are made while they are read, to clients of the Hub and of S3';
export const reportSummary = 'show what an initialization does: each tensor, and signals through depth, as a page';
export const modelsSummary = 'print the models that are known by name';
export const gainsSummary = 'print the gains of the nonlinearities';
export const benchSummary = "measure this machine's speed beside memset and other libraries";
export const workerSummary = 'do parts of checkpoints that are ordered over a queue on Redis';
export const completionSummary = 'print completions for bash, zsh or fish';
export const manSummary = 'print a manual page';
