// touched(): a new typed array whose pages are there already, not when their connections open.
// The system gives zeros page by page, at the first write to each; that costs whoever writes a fault, and is memory that nobody
// has counted yet. Each app thread touches its own columns, side by side with the others.

/** Is told of memory before its first page is there: by then it is decided how large its pages are. */
export type Prepare = (buffer: ArrayBuffer) => void;

export function touched<T extends { readonly buffer: ArrayBuffer; fill(value: number): unknown }>(
  array: T,
  prepare?: Prepare,
): T {
  prepare?.(array.buffer);
  array.fill(0);
  return array;
}
