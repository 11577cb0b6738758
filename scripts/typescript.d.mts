export function typescriptState(root: string): { hash: string; outputs: string[] };
export function compileTypeScript(
  root: string,
  options?: { force?: boolean; log?: (line: string) => void },
): Promise<boolean>;
export function linkCommand(root: string): void;
