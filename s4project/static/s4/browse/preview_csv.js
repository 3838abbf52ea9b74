// Reads tables of text: CSV as RFC 4180 has it, and what people write for it. Pure, and bounded: no
// more rows and columns are kept than will be shown.

const DELIMITERS = [",", ";", "\t", "|"];
const SAMPLE_CHARACTERS = 16_384;

// Read rows one after another, until `take` wants no more.
const readRows = (text, delimiter, take) => {
  let row = [];
  let field = "";
  let isQuoted = false;
  let position = text.startsWith("\ufeff") ? 1 : 0;
  const endRow = () => {
    row.push(field);
    const isWanted = row.length === 1 && !row[0] ? true : take(row); // blank lines are none
    row = [];
    field = "";
    return isWanted;
  };
  for (; position < text.length; position += 1) {
    const character = text[position];
    if (isQuoted) {
      if (character !== '"') {
        field += character;
      } else if (text[position + 1] === '"') {
        field += '"';
        position += 1;
      } else {
        isQuoted = false;
      }
    } else if (character === '"' && !field) {
      isQuoted = true;
    } else if (character === delimiter) {
      row.push(field);
      field = "";
    } else if (character === "\n" || character === "\r") {
      if (character === "\r" && text[position + 1] === "\n") position += 1;
      if (!endRow()) return;
    } else {
      field += character;
    }
  }
  if (field || row.length) endRow();
};

/** Guess what stands between fields: what divides the first rows into equally many, and into most. */
export const guessDelimiter = (text) => {
  const sample = text.slice(0, SAMPLE_CHARACTERS);
  let best = ",";
  let bestScore = 0;
  for (const delimiter of DELIMITERS) {
    const widths = [];
    readRows(sample, delimiter, (row) => widths.push(row.length) < 20);
    if (sample.length < text.length && widths.length > 1) widths.pop();
    const width = widths[0] ?? 1;
    const score = width > 1 ? width * (widths.filter((each) => each === width).length / widths.length) ** 2 : 0;
    if (score > bestScore) [best, bestScore] = [delimiter, score];
  }
  return best;
};

/** Read a table: {delimiter, head, rows, columns, isCut}; `isCut` given: the text is the beginning of
 * a longer one, whose last row is incomplete and left out. `columns` counts those of the widest row. */
export const readTable = (text, { delimiter = "", rowsMax = 200, columnsMax = 50, isCut = false } = {}) => {
  const between = delimiter || guessDelimiter(text);
  const all = [];
  let columns = 0;
  readRows(text, between, (row) => {
    columns = Math.max(columns, row.length);
    all.push(row.slice(0, columnsMax));
    return all.length < rowsMax + 2; // the head, its rows, and one more that tells of others
  });
  const hasMore = all.length > rowsMax + 1;
  if (hasMore || (isCut && all.length > 1)) all.pop();
  const [head = [], ...rows] = all;
  return { delimiter: between, head, rows, columns, isCut: isCut || hasMore || columns > columnsMax };
};
