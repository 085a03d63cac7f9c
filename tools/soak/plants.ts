// Faults that are planted to see whether a long run notices.
//   reply    a reply is heard twice
//   message  a message is written down as sent, and never leaves
export const PLANTS = ['reply', 'message'] as const;
export type Plant = (typeof PLANTS)[number];
