// pcapng: a capture with comments, as Wireshark writes and reads it (IETF draft-ietf-opsawg-pcapng).
//
//   section header (comment) │ interface: Ethernet, nanoseconds │ enhanced packet, enhanced packet (comment) …
//
// In: frames with times in nanoseconds since the epoch. Out: the file's bytes, little-endian.

export interface PcapngFrame {
  readonly timeNs: bigint;
  /** On the wire; `bytes` may be fewer. */
  readonly length: number;
  readonly bytes: Uint8Array;
  readonly comment?: string | undefined;
}

const SECTION_HEADER = 0x0a0d0d0a;
const BYTE_ORDER = 0x1a2b3c4d;
const INTERFACE = 1;
const ENHANCED_PACKET = 6;
const ETHERNET = 1;
const [END_OF_OPTIONS, COMMENT, USER_APPLICATION, TIME_RESOLUTION] = [0, 1, 4, 9];
/** A negative power of ten. */
const NANOSECONDS = 9;

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}

function option(code: number, value: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16LE(code, 0);
  head.writeUInt16LE(value.length, 2);
  return Buffer.concat([head, padded(value)]);
}

function options(list: readonly (Buffer | undefined)[]): Buffer {
  const some = list.filter((item): item is Buffer => item !== undefined);
  return some.length === 0 ? Buffer.alloc(0) : Buffer.concat([...some, option(END_OF_OPTIONS, new Uint8Array())]);
}

function comment(text: string | undefined): Buffer | undefined {
  return text === undefined ? undefined : option(COMMENT, Buffer.from(text));
}

function block(type: number, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length + 12);
  const head = Buffer.alloc(4);
  head.writeUInt32LE(type);
  return Buffer.concat([head, length, body, length]);
}

function sectionHeader(text: string): Buffer {
  const fixed = Buffer.alloc(16, 0xff); // the section's length is not told
  fixed.writeUInt32LE(BYTE_ORDER, 0);
  fixed.writeUInt16LE(1, 4);
  fixed.writeUInt16LE(0, 6);
  return block(
    SECTION_HEADER,
    Buffer.concat([fixed, options([comment(text), option(USER_APPLICATION, Buffer.from('qstack monitor'))])]),
  );
}

function ethernetInterface(): Buffer {
  const fixed = Buffer.alloc(8);
  fixed.writeUInt16LE(ETHERNET, 0);
  return block(INTERFACE, Buffer.concat([fixed, options([option(TIME_RESOLUTION, Buffer.from([NANOSECONDS]))])]));
}

function packet(frame: PcapngFrame): Buffer {
  const fixed = Buffer.alloc(20);
  fixed.writeUInt32LE(Number(frame.timeNs >> 32n), 4);
  fixed.writeUInt32LE(Number(frame.timeNs & 0xffff_ffffn), 8);
  fixed.writeUInt32LE(frame.bytes.length, 12);
  fixed.writeUInt32LE(frame.length, 16);
  return block(ENHANCED_PACKET, Buffer.concat([fixed, padded(frame.bytes), options([comment(frame.comment)])]));
}

export function pcapngBytes(frames: readonly PcapngFrame[], about: string): Buffer {
  return Buffer.concat([sectionHeader(about), ethernetInterface(), ...frames.map(packet)]);
}
