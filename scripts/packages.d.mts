export function packagesAreCurrent(root: string): boolean;
export function installPackages(root: string, log: (line: string) => void): Promise<void>;
