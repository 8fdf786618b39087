/** QMP's framing: one JSON value a line, whatever pieces the lines come in. */

/** Far more than the longest answer, but too little for a peer with an endless line to fill the memory. */
export const LINE_BYTES_MAX = 16 * 1024 ** 2;

/** The data is not QMP; the stream cannot be resumed. */
export class FramingError extends Error {}

export type Frames = Readonly<{
  /** Takes the next bytes, and returns the messages that they complete.
   * @throws FramingError */
  push(bytes: Uint8Array): Record<string, unknown>[];
}>;

export function createFrames(lineBytesMax = LINE_BYTES_MAX): Frames {
  const lines = createLines(lineBytesMax);
  return { push: (bytes) => lines.push(bytes).map(parse) };
}

/** Splits bytes into lines without interpreting them, and drops empty ones. */
export function createLines(lineBytesMax: number): Readonly<{ push(bytes: Uint8Array): string[] }> {
  let parts: Uint8Array[] = [];
  let held = 0;
  const hold = (part: Uint8Array) => {
    held += part.length;
    if (held > lineBytesMax) throw new FramingError(`a line is longer than ${lineBytesMax} bytes`);
    if (part.length > 0) parts.push(part);
  };
  return {
    push(bytes) {
      const lines: string[] = [];
      let begin = 0;
      for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, begin)) {
        hold(bytes.subarray(begin, end));
        const line = Buffer.concat(parts).toString("utf8").trim();
        parts = [];
        held = 0;
        begin = end + 1;
        if (line !== "") lines.push(line);
      }
      hold(bytes.subarray(begin));
      return lines;
    },
  };
}

const NEWLINE = 0x0a;

function parse(line: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw new FramingError(`a line is no JSON: ${line.slice(0, 80)}`, { cause: error });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new FramingError(`a line is no JSON object: ${line.slice(0, 80)}`);
  return value as Record<string, unknown>;
}
