/** One line on each command, for `nninit --help`. */

export const generateSummary =
  "write a checkpoint: from a config.json, a recipe, a model's name, or like another checkpoint";
export const planSummary = 'print what generate would write';
export const verifySummary = 'check a checkpoint against its plan: every byte, or the distribution of each tensor';
export const gainsSummary = 'print the gains of the nonlinearities';
export const benchSummary = "measure this machine's speed beside memset and other libraries";
