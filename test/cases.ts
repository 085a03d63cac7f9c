// How many cases a property tries: its own number in `npm test`, QSTACK_CASES in `npm run fuzz`.

export function cases(usual: number): number {
  const asked = Number(process.env.QSTACK_CASES);
  return asked > 0 ? asked : usual;
}
