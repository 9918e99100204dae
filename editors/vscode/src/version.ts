// Whether an extension and a server fit: below 1.0 the minor version has to be the same.

/** Returns what to tell a person where they do not fit, undefined where they do. */
export function findMismatch(extension: string, server: string | undefined): string | undefined {
  if (server === undefined) {
    return 'The program that was started does not say which version of Goalproof it is.';
  }
  const [here, there] = [parse(extension), parse(server)];
  const fits = here !== undefined && there !== undefined && here[0] === there[0];
  if (fits && (here[0] > 0 || here[1] === there[1])) {
    return undefined;
  }
  return `The extension is ${extension} and the server is ${server}: some commands may be refused. Install goalproof ${extension}, or set \`goalproof.importStrategy\` to \`useBundled\`.`;
}

function parse(version: string): [number, number] | undefined {
  const found = /^(\d+)\.(\d+)/.exec(version);
  return found ? [Number(found[1]), Number(found[2])] : undefined;
}
