/** Loaded before every test file. */
export {};
