// Renders the layout description as C++ and as TypeScript.
// In: a Layout. Out: the text of native/abi/layout.hh and of stack/abi.ts. Pure: the same input gives the same bytes, so a test
// renders again and compares. A description that overlaps, is misaligned or leaves its struct is a thrown Error.
import {
  type Constant,
  type Enumeration,
  type Field,
  type FieldType,
  type Layout,
  type Struct,
  sizeOf,
} from './layout.js';

const CXX_TYPE: Record<FieldType, string> = { u8: 'uint8_t', u16: 'uint16_t', u32: 'uint32_t', u64: 'uint64_t' };

/** Throws when a struct cannot be laid out as described. */
export function check(layout: Layout): void {
  for (const struct of layout.structs) {
    let end = 0;
    for (const field of struct.fields) {
      const name = `${struct.name}.${field.name}`;
      if (field.at % sizeOf(field.type) !== 0) throw new Error(`${name}: offset ${field.at} is not aligned`);
      if (field.at < end) throw new Error(`${name}: overlaps the field before it`);
      end = field.at + sizeOf(field.type);
    }
    if (end > struct.bytes) throw new Error(`${struct.name}: fields end at ${end}, size is ${struct.bytes}`);
    if (struct.bytes % struct.align !== 0) throw new Error(`${struct.name}: size is no multiple of its alignment`);
  }
}

export function renderCxx(layout: Layout): string {
  check(layout);
  return [
    '// Generated from tools/layout/layout.ts by `node dist/tools/layout/generate.js`. Do not edit.',
    '//',
    '// What C++ and TypeScript both see in the arena of a stack. Read docs/ARCHITECTURE.md 4 for the meaning.',
    '#pragma once',
    '',
    '#include <cstddef>',
    '#include <cstdint>',
    '',
    'namespace qstack::abi {',
    '',
    '// clang-format off',
    '',
    ...layout.constants.map(cxxConstant),
    '',
    ...layout.enumerations.flatMap(cxxEnumeration),
    ...layout.structs.flatMap(cxxStruct),
    '// clang-format on',
    '',
    '}  // namespace qstack::abi',
    '',
  ].join('\n');
}

function cxxConstant({ name, value, hex, doc }: Constant): string {
  return `inline constexpr uint32_t k${pascal(name)} = ${number(value, hex)}u;  ///< ${doc}`;
}

function cxxEnumeration({ name, type, doc, values }: Enumeration): string[] {
  return [
    `/// ${doc}`,
    `enum class ${name} : ${CXX_TYPE[type]} {`,
    ...values.map((value) => `  ${value.name} = ${value.value},${value.doc ? `  ///< ${value.doc}` : ''}`),
    '};',
    '',
    ...cxxRanges(name, values),
  ];
}

/** What each option takes, by its number. */
function cxxRanges(name: string, values: Enumeration['values']): string[] {
  if (values.every(({ range }) => range === undefined)) return [];
  return [
    `/// Smallest and largest value of each ${name}.`,
    `inline constexpr uint32_t k${name}Ranges[${values.length}][2] = {`,
    ...values.map((value) => `  {${value.range?.map((bound) => `${bound}u`).join(', ')}},  ///< ${value.name}`),
    '};',
    '',
  ];
}

function cxxStruct(struct: Struct): string[] {
  const members: string[] = [];
  let end = 0;
  for (const field of struct.fields) {
    if (field.at > end) members.push(cxxGap(end, field.at));
    members.push(`  ${CXX_TYPE[field.type]} ${field.name};${field.doc ? `  ///< ${field.doc}` : ''}`);
    end = field.at + sizeOf(field.type);
  }
  if (struct.bytes > end) members.push(cxxGap(end, struct.bytes));
  return [
    `/// ${struct.doc}`,
    `struct alignas(${struct.align}) ${struct.name} {`,
    ...members,
    '};',
    `static_assert(sizeof(${struct.name}) == ${struct.bytes});`,
    ...struct.fields.map((field) => `static_assert(offsetof(${struct.name}, ${field.name}) == ${field.at});`),
    '',
  ];
}

function cxxGap(from: number, to: number): string {
  return `  uint8_t gap_${from}[${to - from}];`;
}

export function renderTypeScript(layout: Layout): string {
  check(layout);
  return [
    '// Generated from tools/layout/layout.ts by `node dist/tools/layout/generate.js`. Do not edit.',
    '//',
    '// What C++ and TypeScript both see in the arena of a stack. Read docs/ARCHITECTURE.md 4 for the meaning.',
    '// A field is named STRUCT_FIELD_U8, _U16 or _U32: its index from the start of the struct in a typed array of that width;',
    '// of one of 64 bits, _U32 is that of its low word, and the high one follows.',
    '',
    ...layout.constants.flatMap(({ name, value, hex, doc }) => tsConstant(name, number(value, hex), doc)),
    ...layout.enumerations.flatMap(tsEnumeration),
    ...layout.structs.flatMap(tsStruct),
  ].join('\n');
}

function tsEnumeration({ name, doc, values }: Enumeration): string[] {
  return [
    `// ${name}: ${doc}.`,
    '',
    ...values.flatMap((value) => tsConstant(`${snake(name)}_${value.name}`, `${value.value}`, value.doc)),
    ...tsRanges(name, values),
  ];
}

function tsRanges(name: string, values: Enumeration['values']): string[] {
  if (values.every(({ range }) => range === undefined)) return [];
  return [
    `/** Name, smallest and largest value of each ${name}, by its number. */`,
    `export const ${snake(name).toUpperCase()}S: readonly (readonly [name: string, min: number, max: number])[] = [`,
    ...values.map((value) => `  ['${value.name}', ${value.range?.join(', ')}],`),
    '];',
    '',
  ];
}

function tsStruct(struct: Struct): string[] {
  const name = snake(struct.name);
  return [
    `// ${struct.name}: ${struct.doc}`,
    '',
    ...tsConstant(`${name}_bytes`, `${struct.bytes}`, 'Size in bytes.'),
    ...struct.fields.flatMap((field) => tsField(name, field)),
  ];
}

function tsField(struct: string, { name, at, type, doc }: Field): string[] {
  const width = type === 'u64' ? 'u32' : type;
  return tsConstant(`${struct}_${name}_${width}`, `${at / sizeOf(width)}`, doc);
}

function tsConstant(name: string, value: string, doc: string): string[] {
  return [...(doc ? [`/** ${doc} */`] : []), `export const ${name.toUpperCase()} = ${value};`, ''];
}

function number(value: number, hex = false): string {
  return hex ? `0x${value.toString(16)}` : `${value}`;
}

function pascal(name: string): string {
  return name.replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
}

function snake(name: string): string {
  return name.replace(/(?<!^)([A-Z])/g, '_$1').toLowerCase();
}
