// Events that tests are made of.

/** An event that one rule of the pack matches, and no correlation. */
export const HIT = '{"eventName":"ListUsers","userIdentity":{"accessKeyId":"AKIA1"}}';

/** Lines of every kind, as Latin-1. */
export const ODD = [
  `${HIT}\n`,
  `${HIT}\r\n`,
  '\n',
  ' \r\n',
  'not json\n',
  '\xff\xfe\n',
  '{"a":"\\u2028 \xe2\x80\xa8 \x0b"}\n',
  `${HIT}\r\n`,
  '{"eventName":\n',
  HIT,
];

/** An event of a burst that opens alerts of the pack. */
export function denied(number, user = 'a') {
  const minute = String(number % 60).padStart(2, '0');
  const event = {
    eventID: `id-${number}`,
    eventTime: `2024-01-01T00:${minute}:00Z`,
    eventName: `List${number}`,
    eventSource: 'iam.amazonaws.com',
    errorCode: 'AccessDenied',
    sourceIPAddress: '192.0.2.1',
    userAgent: 'client',
    userIdentity: { type: 'IAMUser', userName: user, arn: `${user}arn:aws:iam::1:user/a` },
  };
  return `${JSON.stringify(event)}\n`;
}

/** Numbers that are the same in every run. */
export function random(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 8;
  };
}
