// What comes from agents, repositories and gates is data: nothing of it is obeyed.

const HIDDEN =
  // eslint-disable-next-line no-control-regex
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/** Returns one line without control, bidi and invisible characters, at most `limit` characters. */
export function plainLine(text: string, limit = 200): string {
  const line = text
    .replace(/[\n\t]/g, ' ')
    .replace(HIDDEN, '')
    .replace(/\s+/g, ' ')
    .trim();
  return line.length > limit ? `${line.slice(0, limit - 1)}…` : line;
}

/** Returns a line for a place where VS Code would draw `$(name)` as an icon. */
export function plainLabel(text: string, limit = 80): string {
  return plainLine(text, limit).replace(/\$\(/g, '$\u200a(');
}

/** Returns the text without what a terminal would obey; lines and tabs stay. */
export function plainText(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(HIDDEN, (hit) => ('\n\t'.includes(hit) ? hit : ''));
}

/** Returns an argument list as a shell would take it, for a person to read. */
export function showArgv(argv: readonly string[]): string {
  return argv
    .map((word) =>
      /^[\w@%+=:,./-]+$/.test(word) ? word : `'${plainText(word).replace(/'/g, `'\\''`)}'`,
    )
    .join(' ');
}
