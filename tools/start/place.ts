// Where the programs are: this file lies in dist/tools/start/, the programs in bin/.
import { fileURLToPath } from 'node:url';

export function programPath(name: string): string {
  return fileURLToPath(new URL(`../../../${name}`, import.meta.url));
}
