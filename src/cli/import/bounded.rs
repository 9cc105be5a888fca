//! Lines and rows of an imported file, each with a size limit. A longer line is skipped and never held in
//! memory, so a small compressed file can't take much memory.

use std::io::{self, BufRead, ErrorKind};

use csv_core::ReadRecordResult;

use super::quotes::Quotes;

/// Decoded text of a file. It is read only once, from its beginning to its end.
pub type TextReader = Box<dyn BufRead>;

/// Maximum size of one line or row in bytes. A request to the shop has the same limit.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;
/// End of a message about bytes that are not UTF-8.
pub const NOT_UTF_8: &str = "not UTF-8; use --encoding if the file has another encoding";
/// Maximum number of columns in one row.
const COLUMNS_MAX: usize = 2_000;

/// One line of a file.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Bytes of the line without the line break. For a line that is too long, the first [`LINE_BYTES_MAX`]
    /// bytes.
    pub bytes: Vec<u8>,
    /// True if the line has more than [`LINE_BYTES_MAX`] bytes.
    pub is_too_long: bool,
}

/// Reads the next line. Returns `None` at the end of the file.
pub fn line(reader: &mut impl BufRead) -> io::Result<Option<Line>> {
    let mut line = Line { bytes: Vec::new(), is_too_long: false };
    let mut is_there = false;
    loop {
        let available = filled(reader)?;
        if available.is_empty() {
            return Ok(is_there.then_some(line));
        }
        is_there = true;
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        let room = LINE_BYTES_MAX - line.bytes.len();
        line.is_too_long |= part.len() > room;
        line.bytes.extend_from_slice(&part[..part.len().min(room)]);
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

/// Reads the next byte. Returns `None` at the end of the file.
pub fn byte(reader: &mut impl BufRead) -> io::Result<Option<u8>> {
    let byte = filled(reader)?.first().copied();
    reader.consume(usize::from(byte.is_some()));
    Ok(byte)
}

/// Returns buffered bytes of the reader. They are empty only at the end of the file.
fn filled(reader: &mut impl BufRead) -> io::Result<&[u8]> {
    while let Err(error) = reader.fill_buf() {
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
    reader.fill_buf()
}

/// One row of a CSV file.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// Number of the line where the row begins.
    pub number: u64,
    /// Number of the line where the row ends.
    pub last_number: u64,
    /// Cells of the row, or the reason why they can't be read.
    pub cells: Result<Vec<String>, String>,
    /// Bytes of the row with the line break. `None` if the row is too long.
    pub raw: Option<Vec<u8>>,
}

/// Iterator over the rows of a CSV file. It skips blank lines.
pub struct Rows {
    reader: TextReader,
    core: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    lines: Lines,
    quotes: Quotes,
}

/// Counter of lines. A line ends with a line feed, a carriage return, or both.
#[derive(Debug)]
struct Lines {
    number: u64,
    /// True if the last byte was a carriage return.
    is_after_return: bool,
}

impl Lines {
    fn count(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.count_byte(*byte);
        }
    }

    fn count_byte(&mut self, byte: u8) {
        let is_end = byte == b'\r' || (byte == b'\n' && !self.is_after_return);
        self.number += u64::from(is_end);
        self.is_after_return = byte == b'\r';
    }
}

impl Rows {
    /// Creates an iterator over the rows of a reader. `separator` is the sign between cells.
    pub fn new(reader: TextReader, separator: u8) -> Self {
        let text = vec![0; LINE_BYTES_MAX];
        let ends = vec![0; COLUMNS_MAX];
        let core = csv_core::ReaderBuilder::new().delimiter(separator).build();
        let lines = Lines { number: 1, is_after_return: false };
        Self { reader, core, text, ends, lines, quotes: Quotes::new(separator) }
    }

    /// Skips the blank lines before a row. They do not count as lines of the row.
    fn skip_blank_lines(&mut self) -> io::Result<()> {
        loop {
            let available = filled(&mut self.reader)?;
            let blank = available.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.lines.count(&available[..blank]);
            let is_row = blank < available.len();
            self.reader.consume(blank);
            if is_row || blank == 0 {
                return Ok(());
            }
        }
    }

    fn row(&mut self) -> io::Result<Option<Row>> {
        self.skip_blank_lines()?;
        let number = self.lines.number;
        self.quotes.begin_row();
        let mut raw = Raw::default();
        let mut text_end = 0;
        let mut columns = 0;
        let mut is_too_wide = false;
        loop {
            let input = filled(&mut self.reader)?;
            let text = &mut self.text[text_end..];
            let ends = &mut self.ends[columns..];
            let (result, used, written, ended) = self.core.read_record(input, text, ends);
            raw.extend(&input[..used]);
            for byte in &input[..used] {
                self.quotes.read(*byte, self.lines.number);
                self.lines.count_byte(*byte);
            }
            self.reader.consume(used);
            text_end += written;
            columns += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                // The row is too large. Its rest overwrites its beginning in the buffer until the row ends.
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    is_too_wide = true;
                    text_end = 0;
                    columns = 0;
                }
                ReadRecordResult::Record => {
                    let is_too_large = is_too_wide || raw.is_too_long;
                    return self.ended(number, raw, (!is_too_large).then_some(columns)).map(Some);
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// Builds the row after its last byte was read. `columns` is `None` if the row is too large.
    fn ended(&mut self, number: u64, mut raw: Raw, columns: Option<usize>) -> io::Result<Row> {
        if let Some(message) = self.quotes.unclosed() {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, message));
        }
        self.end_line(&mut raw)?;
        let last_number = if raw.ends_line() { self.lines.number - 1 } else { self.lines.number };
        let cells = match (columns, self.quotes.fault()) {
            (None, _) => Err(format!("at most {LINE_BYTES_MAX} bytes and {COLUMNS_MAX} columns are allowed")),
            (_, Some(fault)) => Err(fault),
            (Some(columns), None) => cells(&self.text, &self.ends[..columns]),
        };
        Ok(Row { number, last_number, cells, raw: raw.bytes() })
    }

    /// Reads the line feed after a carriage return, because both together end one line.
    fn end_line(&mut self, raw: &mut Raw) -> io::Result<()> {
        if raw.last == Some(b'\r') && filled(&mut self.reader)?.first() == Some(&b'\n') {
            self.reader.consume(1);
            self.lines.count(b"\n");
            raw.extend(b"\n");
        }
        Ok(())
    }
}

/// Bytes of a row. They are dropped if there are more than [`LINE_BYTES_MAX`].
#[derive(Default)]
struct Raw {
    bytes: Vec<u8>,
    last: Option<u8>,
    is_too_long: bool,
}

impl Raw {
    fn extend(&mut self, bytes: &[u8]) {
        self.last = bytes.last().copied().or(self.last);
        if self.is_too_long || self.bytes.len() + bytes.len() > LINE_BYTES_MAX {
            self.is_too_long = true;
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    fn ends_line(&self) -> bool {
        matches!(self.last, Some(b'\r' | b'\n'))
    }

    fn bytes(self) -> Option<Vec<u8>> {
        (!self.is_too_long).then_some(self.bytes)
    }
}

fn cells(text: &[u8], ends: &[usize]) -> Result<Vec<String>, String> {
    let begins = [0].iter().chain(ends);
    let cells = begins.zip(ends).map(|(begin, end)| String::from_utf8(text[*begin..*end].to_vec()));
    let place = |(index, cell): (usize, Result<String, _>)| {
        cell.map_err(|_| format!("column {} is {NOT_UTF_8}", index + 1))
    };
    cells.enumerate().map(place).collect()
}

impl Iterator for Rows {
    type Item = io::Result<Row>;

    fn next(&mut self) -> Option<Self::Item> {
        self.row().transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read, repeat};

    use super::*;

    fn rows(text: impl Read + 'static) -> Vec<Row> {
        Rows::new(Box::new(BufReader::with_capacity(5, text)), b',').collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn lines_end_at_line_breaks_and_at_the_end() {
        let mut text = BufReader::with_capacity(3, "one\r\n\ntwo".as_bytes());
        let mut next = || line(&mut text).unwrap().map(|line| String::from_utf8(line.bytes).unwrap());
        let expected = [Some("one\r"), Some(""), Some("two"), None];
        assert_eq!(expected.map(|text| text.map(str::to_owned)), [next(), next(), next(), next()]);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped() {
        let long = repeat(b'x').take(10 * LINE_BYTES_MAX as u64);
        let mut text = BufReader::new(long.chain("\nnext".as_bytes()));
        let first = line(&mut text).unwrap().unwrap();
        assert!(first.is_too_long && first.bytes.len() == LINE_BYTES_MAX);
        assert!(first.bytes.capacity() <= 2 * LINE_BYTES_MAX, "{}", first.bytes.capacity());
        assert_eq!(line(&mut text).unwrap(), Some(Line { bytes: b"next".to_vec(), is_too_long: false }));
        let exact = repeat(b'x').take(LINE_BYTES_MAX as u64);
        assert!(!line(&mut BufReader::new(exact)).unwrap().unwrap().is_too_long);
    }

    #[test]
    fn rows_follow_the_csv_format() {
        let read = rows("sku,name\r\nA,\"Lamp, \"\"big\"\"\"\r\nB\nC,é\n".as_bytes());
        let cells: Vec<_> = read.iter().map(|row| row.cells.clone().unwrap()).collect();
        let expected: [&[&str]; 4] = [&["sku", "name"], &["A", "Lamp, \"big\""], &["B"], &["C", "é"]];
        assert_eq!(cells, expected);
        let latin1 = rows(b"A,ok\nB,caf\xe9\nC,ok\n".as_slice());
        assert!(latin1[1].cells.as_ref().is_err_and(|why| why.starts_with("column 2 is not UTF-8")));
        assert_eq!(latin1[1].raw.as_deref(), Some(b"B,caf\xe9\n".as_slice()));
        assert!(latin1[2].cells.is_ok());
    }

    #[test]
    fn rows_have_their_line_numbers_and_their_original_bytes() {
        let check = |text: &'static str, expected: &[(u64, u64, &str)]| {
            let read = rows(text.as_bytes());
            let found = read.iter().map(|row| {
                let raw = std::str::from_utf8(row.raw.as_deref().unwrap()).unwrap();
                (row.number, row.last_number, raw)
            });
            assert_eq!(found.collect::<Vec<_>>(), expected, "{text:?}");
        };
        check("a\nb\n", &[(1, 1, "a\n"), (2, 2, "b\n")]);
        check("a\r\nb\r\nc", &[(1, 1, "a\r\n"), (2, 2, "b\r\n"), (3, 3, "c")]);
        check("a\rb\rc", &[(1, 1, "a\r"), (2, 2, "b\r"), (3, 3, "c")]);
        check("a\n\n\nb\n", &[(1, 1, "a\n"), (4, 4, "b\n")]);
        check("\r\n\r\na\r\n\r\nb\r\n\r\n", &[(3, 3, "a\r\n"), (5, 5, "b\r\n")]);
        check("\"a\r\nb\"\"\",\"c\"\nd\n", &[(1, 2, "\"a\r\nb\"\"\",\"c\"\n"), (3, 3, "d\n")]);
        check("", &[]);
    }

    #[test]
    fn a_row_that_is_too_long_or_too_wide_is_skipped() {
        let cell = "A,\"".as_bytes().chain(repeat(b'x').take(5 * LINE_BYTES_MAX as u64));
        let wide = repeat(b',').take(3 * COLUMNS_MAX as u64);
        let read = rows(cell.chain("\"\n".as_bytes()).chain(wide).chain("\nB,Rug\n".as_bytes()));
        assert!(read[0].cells.is_err() && read[1].cells.is_err(), "{read:.100?}");
        assert_eq!(read[2].cells, Ok(vec!["B".to_owned(), "Rug".to_owned()]));
        assert_eq!(read.len(), 3);
    }
}
