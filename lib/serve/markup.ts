const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Text as XML and HTML have it; control characters, which XML cannot have, are left out. */
export function markup(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must go
  return text.replace(/[\u0000-\u001f\u007f]/g, '').replace(/[&<>"']/g, (each) => entities[each] ?? '');
}
