/** Durations, sizes and times as people write them; the texts are those of the command line. */

const MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

const BYTES: Record<string, number> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** A time: milliseconds since 1970, or a date. */
export type Time = number | bigint | Date;

/** Milliseconds of a duration such as `90s`, `20m` or `7d`; a number is milliseconds. */
export function durationMs(duration: string | number | bigint): bigint {
  if (typeof duration !== 'string') return BigInt(duration);
  const found = /^([0-9]+)([smhdw])$/.exec(duration);
  if (found === null) {
    throw new TypeError(`"${duration}" is no duration: write a whole number and one of s, m, h, d, w, such as 20m`);
  }
  return BigInt(found[1] ?? 0) * BigInt(MS[found[2] ?? ''] ?? 0);
}

/** Bytes of a size such as `256MiB`; a number is bytes. */
export function sizeBytes(size: string | number): number {
  const found = /^([0-9]+)\s*([A-Za-z]*)$/.exec(String(size));
  const unit = BYTES[found?.[2] ?? '?'];
  if (found === null || unit === undefined) {
    throw new TypeError(`"${size}" is no size: write a whole number and one of KiB, MiB, GiB, KB, MB, GB, such as 64MiB`);
  }
  return Number(found[1]) * unit;
}

/** Milliseconds since 1970. */
export function timeMs(time: Time): bigint {
  return BigInt(time instanceof Date ? time.getTime() : time);
}
