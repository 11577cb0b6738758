export function withLock<T>(
  path: string,
  work: () => Promise<T>,
  options?: { onWait?: (owner: string) => void; patience?: number; poll?: number },
): Promise<T>;
