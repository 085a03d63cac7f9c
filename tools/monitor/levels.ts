// Levels: which ones there are, and what gives a message one: the byte of HCMonitor and of iotepserver, its length, or rules.
// In: flags, setting.cfg, a configuration. Out: names, highest first, and what the native side asks.
import { compile, parseRule, type Rule } from '../../stack/classifier.js';
import { formatFault } from '../../stack/config/fault.js';
import { loadSettings } from '../../stack/config/load.js';
import { parseCount } from '../../stack/config/units.js';
import type { FlagReader } from '../mcc/flag-reader.js';
import type { NativeLevelRule } from './native.js';
import type { SettingCfg } from './setting-cfg.js';

export interface LevelOptions {
  readonly names: readonly string[];
  readonly rule: NativeLevelRule;
}

export interface LevelSources {
  readonly iot: boolean;
  readonly setting: SettingCfg | undefined;
}

const HIGH_LOW = ['high', 'low'] as const;
/** Of messages of mcc: docs of native/mcc/message.hh. */
const IOT_LEVEL_AT = 5;
const LEVELS_MAX = 8;

interface Configured {
  readonly levels: readonly string[];
  readonly rules: readonly Rule[];
}

function configured(reader: FlagReader, file: string): Configured | undefined {
  const { settings, faults } = loadSettings({ file });
  if (settings === undefined) {
    reader.faults.push(...faults.map((fault) => `--classify: ${formatFault(fault)}`));
    return undefined;
  }
  const levels = settings.levels ?? [...HIGH_LOW];
  return { levels, rules: settings.classify.map((line) => parseRule(line.text, levels)) };
}

/** Of --levels. */
function namesOf(reader: FlagReader): string[] | undefined {
  return reader
    .text('levels')
    ?.split(/[\s,]+/)
    .filter((name) => name !== '');
}

function byRules(reader: FlagReader, lines: readonly string[]): LevelOptions | undefined {
  const file = reader.text('classify');
  const own = file === undefined ? undefined : configured(reader, file);
  const names = namesOf(reader) ?? own?.levels ?? [...HIGH_LOW];
  try {
    const rules = [...lines.map((line) => parseRule(line, names)), ...(own?.rules ?? [])];
    const table = compile(rules, names, { otherwise: names.at(-1) as string });
    return { names, rule: { by: 'rules', table, levels: names.length, ofResponse: false } };
  } catch (error) {
    reader.faults.push(`--rule: ${(error as Error).message}`);
    return undefined;
  }
}

function byByte(names: readonly string[], offset: number, values: readonly number[], ofResponse = false): LevelOptions {
  return { names, rule: { by: 'byte', offset, values, ofResponse } };
}

/** mcc writes 1 for its first level, 0 for the last, and the number of a level plus one for those between. */
function byIot(reader: FlagReader): LevelOptions {
  const names = namesOf(reader) ?? HIGH_LOW;
  if (names.length < 2 || names.length > LEVELS_MAX)
    reader.refuse('--levels', names.join(','), 'mcc has 2 to 8 levels');
  return byByte(
    names,
    IOT_LEVEL_AT,
    names.slice(1).map((_, index) => index + 1),
  );
}

function byLength(length: number, ofResponse = false): LevelOptions {
  return { names: HIGH_LOW, rule: { by: 'length', length, ofResponse } };
}

export function readLevels(reader: FlagReader, lines: readonly string[], { iot, setting }: LevelSources): LevelOptions {
  const none: LevelOptions = { names: ['all'], rule: { by: 'none', ofResponse: false } };
  if (lines.length > 0 || reader.text('classify') !== undefined) return byRules(reader, lines) ?? none;
  if (reader.text('levels') !== undefined && !iot)
    reader.faults.push('--levels: they are those of --rule, --classify or --iot, give one');
  const above = reader.text('highAbove');
  if (above !== undefined) {
    const bytes = parseCount(above);
    if (bytes === undefined || bytes > 65_535) reader.refuse('--high-above', above, 'bytes from 0 to 65535');
    return byLength(bytes ?? 0);
  }
  if (iot) return byIot(reader);
  if (setting?.enableHTTPS === 1) return byLength(setting.payload_len, setting.rspPri === 1);
  if (setting?.enablePri === 1) {
    return byByte(HIGH_LOW, setting.PriOffset, [setting.PriLabelHigh], setting.rspPri === 1);
  }
  return none;
}
