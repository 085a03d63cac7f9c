// Which of two Redis servers has what of a device, so that devices can be chosen by it: CRC16 (XMODEM) of what stands between
// the braces of a key, or of all of it; 16,384 slots, equal ranges of which belong to the servers.
const SLOTS = 16_384;

export function crc16(text: string): number {
  let crc = 0;
  for (const byte of Buffer.from(text, 'latin1')) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

function serverOf(text: string, servers: number): number {
  return Math.floor(((crc16(text) % SLOTS) * servers) / SLOTS);
}

/** The server that has the state of the device at this address and port. */
export function stateServer(address: string, port: number, servers: number): number {
  return serverOf(`${address}:${port}`, servers);
}

/** The server that has the class of all devices at this address. */
export function classServer(address: string, servers: number): number {
  return serverOf(`c:${address.slice(address.lastIndexOf('.') + 1)}`, servers);
}
