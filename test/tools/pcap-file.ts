// A capture as libpcap writes it, for tests that read one. In: frames. Out: the file's bytes, a frame each 250 us.
const ETHERNET = 1;

/** As libpcap writes it: a header of 24 bytes, and 16 in front of each frame. */
export function pcapFile(frames: readonly Uint8Array[], link = ETHERNET, snap = 65_535): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65_535, 16);
  header.writeUInt32LE(link, 20);
  const records = frames.map((frame, index) => {
    const record = Buffer.alloc(16);
    record.writeUInt32LE(1_000, 0);
    record.writeUInt32LE(index * 250, 4);
    record.writeUInt32LE(Math.min(frame.length, snap), 8);
    record.writeUInt32LE(frame.length, 12);
    return Buffer.concat([record, frame.subarray(0, snap)]);
  });
  return Buffer.concat([header, ...records]);
}
