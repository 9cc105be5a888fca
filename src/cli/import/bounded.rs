//! Lines and rows of a file of anybody's, each of a bounded size. What is longer is read past and never held, so a
//! small compressed file takes no more memory than a large one.

use std::io::{self, BufRead, ErrorKind};

use csv_core::ReadRecordResult;

/// Bytes of one line or row: as many as one request to the shop may have.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;
/// Columns of one row.
const COLUMNS_MAX: usize = 2_000;

/// A line that was read.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// Its bytes without the line break; of a line that is too long, as many as one may have.
    pub bytes: Vec<u8>,
    /// True for a line with more than [`LINE_BYTES_MAX`] bytes.
    pub is_too_long: bool,
}

/// The next line; none at the end.
pub fn line(reader: &mut dyn BufRead) -> io::Result<Option<Line>> {
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

fn filled(reader: &mut dyn BufRead) -> io::Result<&[u8]> {
    while let Err(error) = reader.fill_buf() {
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
    reader.fill_buf()
}

/// A row of a CSV file.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The line it begins on.
    pub number: u64,
    /// Its cells, or why they can't be read.
    pub cells: Result<Vec<String>, String>,
}

/// The rows of a CSV file.
pub struct Rows {
    reader: Box<dyn BufRead>,
    core: csv_core::Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Rows {
    /// The rows of what a reader gives.
    pub fn new(reader: Box<dyn BufRead>) -> Self {
        let text = vec![0; LINE_BYTES_MAX];
        let ends = vec![0; COLUMNS_MAX];
        Self { reader, core: csv_core::Reader::new(), text, ends }
    }

    fn row(&mut self) -> io::Result<Option<Row>> {
        let number = self.core.line();
        let mut text_end = 0;
        let mut columns = 0;
        let mut is_too_long = false;
        loop {
            let input = filled(&mut *self.reader)?;
            let text = &mut self.text[text_end..];
            let ends = &mut self.ends[columns..];
            let (result, used, written, ended) = self.core.read_record(input, text, ends);
            self.reader.consume(used);
            text_end += written;
            columns += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                // The rest of the row is read over its beginning, until it ends.
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    is_too_long = true;
                    text_end = 0;
                    columns = 0;
                }
                ReadRecordResult::Record if is_too_long => {
                    let why = format!("at most {LINE_BYTES_MAX} bytes and {COLUMNS_MAX} columns are allowed");
                    return Ok(Some(Row { number, cells: Err(why) }));
                }
                ReadRecordResult::Record => {
                    return Ok(Some(Row { number, cells: cells(&self.text, &self.ends[..columns]) }));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }
}

fn cells(text: &[u8], ends: &[usize]) -> Result<Vec<String>, String> {
    let begins = [0].iter().chain(ends);
    let cells = begins.zip(ends).map(|(begin, end)| String::from_utf8(text[*begin..*end].to_vec()));
    let place = |(index, cell): (usize, Result<String, _>)| {
        cell.map_err(|_| format!("column {} is not UTF-8", index + 1))
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
        Rows::new(Box::new(BufReader::new(text))).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn lines_end_at_line_breaks_and_at_the_end() {
        let mut text = BufReader::with_capacity(3, "one\r\n\ntwo".as_bytes());
        let mut next = || line(&mut text).unwrap().map(|line| String::from_utf8(line.bytes).unwrap());
        let expected = [Some("one\r"), Some(""), Some("two"), None];
        assert_eq!(expected.map(|text| text.map(str::to_owned)), [next(), next(), next(), next()]);
    }

    #[test]
    fn a_line_that_is_too_long_is_read_past() {
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
    fn rows_are_read_as_the_format_says() {
        let read = rows("\u{feff}sku,name\r\nA,\"Lamp, \"\"big\"\"\"\r\nB\nC,é\n".as_bytes());
        let cells: Vec<_> = read.iter().map(|row| row.cells.clone().unwrap()).collect();
        let expected: [&[&str]; 4] = [&["sku", "name"], &["A", "Lamp, \"big\""], &["B"], &["C", "é"]];
        assert_eq!(cells, expected);
        assert_eq!(read[3].number, 4);
        let latin1 = rows(b"A,ok\nB,caf\xe9\nC,ok\n".as_slice());
        assert_eq!(latin1[1].cells, Err("column 2 is not UTF-8".to_owned()));
        assert!(latin1[2].cells.is_ok());
    }

    #[test]
    fn a_row_that_is_too_long_or_too_wide_is_read_past() {
        let cell = "A,\"".as_bytes().chain(repeat(b'x').take(5 * LINE_BYTES_MAX as u64));
        let wide = repeat(b',').take(3 * COLUMNS_MAX as u64);
        let read = rows(cell.chain("\"\n".as_bytes()).chain(wide).chain("\nB,Rug\n".as_bytes()));
        assert!(read[0].cells.is_err() && read[1].cells.is_err(), "{read:.100?}");
        assert_eq!(read[2].cells, Ok(vec!["B".to_owned(), "Rug".to_owned()]));
        assert_eq!(read.len(), 3);
    }
}
