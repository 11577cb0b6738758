// What of docs/ follows from the code: docs/configuration.md and docs/schema.json, from the table of settings.
//   npm run docs
import { writeFileSync } from 'node:fs';

/** @param {string} path a compiled file of the library; it is there when this runs, and not when this is type-checked */
const compiled = (path) => import(new URL(`../dist/${path}`, import.meta.url).href);

const { configurationPage, configurationSchema } = await compiled('config/reference.js');
const docs = new URL('../docs/', import.meta.url);
writeFileSync(new URL('configuration.md', docs), configurationPage(await compiled('config/world.js')));
writeFileSync(new URL('schema.json', docs), `${JSON.stringify(configurationSchema(), null, 2)}\n`);
