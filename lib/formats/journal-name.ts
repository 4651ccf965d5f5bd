/** There while a checkpoint is unfinished. */
export const journalName = '.nninit-unfinished.json';
