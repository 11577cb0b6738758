/** The likely cause of a failure and one line of what to do. */
export interface Diagnosis {
  cause: string;
  remedy: string;
  /** The shared library that was not found, if that was it. */
  missingLibrary?: string;
}

export function firstErrors(output: string, most?: number): string;
export function diagnoseCompile(output: string, how?: { signal?: NodeJS.Signals | null }): Diagnosis;
export function diagnoseLoad(message: string, when?: { fresh?: boolean }): Diagnosis;
