// Column: one number per connection, in a typed array: no object, and zero when a connection opens.
// In: a message, a Connection or an id. Out: the number; undefined-free: a connection that is gone reads 0 and takes nothing.
import type { ColumnArray, ConnectionRef, ConnectionTable } from './connection-table.js';

export class Column {
  private readonly table: ConnectionTable;
  private readonly array: ColumnArray;

  constructor(table: ConnectionTable, array: ColumnArray) {
    this.table = table;
    this.array = array;
  }

  get(connection: ConnectionRef): number {
    const slot = this.table.slotOf(connection);
    return slot < 0 ? 0 : (this.array[slot] as number);
  }

  /** False: the connection is gone. */
  set(connection: ConnectionRef, value: number): boolean {
    const slot = this.table.slotOf(connection);
    if (slot < 0) return false;
    this.array[slot] = value;
    return true;
  }

  /** The new value. */
  add(connection: ConnectionRef, value: number): number {
    const next = this.get(connection) + value;
    return this.set(connection, next) ? this.get(connection) : 0;
  }
}
