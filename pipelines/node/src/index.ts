/** CloudTrail detection rules as a sandboxed WebAssembly module. */

export type * from '../generated/interfaces/tripwasm-detect-detector.js';
export { type Arrival, Detector, type DetectorOptions, END_OF_TIME, type Statistics } from './detector.js';
export { LoadError, StateError, TrappedError } from './errors.js';
export { type Alert, type Finding, FindingFormat, type FindingRule, type Match, rfc3339 } from './finding.js';
export { Module, type Source } from './module.js';
export type { Time } from './quantity.js';
export { DetectorStream, type StreamOptions } from './stream.js';
