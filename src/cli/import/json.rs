//! JSON files of products, in three layouts: one product on each line, one array of products, or a sequence
//! of products that take several lines each.

use std::io;

use serde_json::Value;
use souk_command_api::import::elements::{ByteRole, Elements};

use super::bounded::{self, LINE_BYTES_MAX, Line, NOT_UTF_8, TextReader};
use super::icecat::icecat;
use super::line::{InputLine, Lines, Product};
use super::refused::is_remark;

/// Layout of a JSON file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One product on each line.
    Lines,
    /// One array of products.
    Array,
    /// Products one after the other, without an array. A product may take several lines.
    Sequence,
}

impl Layout {
    /// Guesses the layout from the beginning of the file.
    pub fn of(begin: &str) -> Self {
        let mut lines = begin.lines().filter(|line| !line.trim().is_empty() && !is_remark(line));
        let first = lines.next().unwrap_or("");
        if first.trim_start().starts_with('[') {
            return Self::Array;
        }
        // Only the beginning of the file is known, so a line is complete only if another line follows.
        let is_line_complete = lines.next().is_some();
        let is_json_incomplete =
            serde_json::from_str::<serde::de::IgnoredAny>(first).is_err_and(|error| error.is_eof());
        if is_line_complete && is_json_incomplete { Self::Sequence } else { Self::Lines }
    }
}

/// Returns the products of a JSON file.
pub fn lines(reader: TextReader, layout: Layout, is_icecat: bool) -> Lines {
    match layout {
        Layout::Lines => Box::new(of_lines(reader, is_icecat)),
        Layout::Array | Layout::Sequence => {
            let mut splitter = Splitter {
                reader,
                layout,
                elements: Elements::default(),
                number: 1,
                has_begun: false,
                has_ended: false,
            };
            Box::new(std::iter::from_fn(move || splitter.next().transpose()).map(move |part| {
                let (number, line) = part?;
                Ok(product(number, line, is_icecat))
            }))
        }
    }
}

fn of_lines(mut reader: TextReader, is_icecat: bool) -> impl Iterator<Item = anyhow::Result<InputLine>> {
    let lines = std::iter::from_fn(move || bounded::line(&mut reader).transpose());
    (1_u64..).zip(lines).filter_map(move |(number, line)| match line {
        Err(error) => Some(Err(error.into())),
        Ok(line) if line.bytes.trim_ascii().is_empty() || is_remark_line(&line) => None,
        Ok(line) => Some(Ok(product(number, line, is_icecat))),
    })
}

fn is_remark_line(line: &Line) -> bool {
    !line.is_too_long && std::str::from_utf8(&line.bytes).is_ok_and(is_remark)
}

/// Reads a product that begins on line `number`.
fn product(number: u64, line: Line, is_icecat: bool) -> InputLine {
    let mut warnings = Vec::new();
    if line.is_too_long {
        let product = Err(format!("a product may have at most {LINE_BYTES_MAX} bytes"));
        return InputLine { number, product, warnings, raw: None, undeclared_price: None };
    }
    let product = read(&line.bytes, number, is_icecat, &mut warnings);
    InputLine { number, product, warnings, raw: Some(line.bytes), undeclared_price: None }
}

fn read(bytes: &[u8], number: u64, is_icecat: bool, warnings: &mut Vec<String>) -> Result<Product, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        // The first invalid byte comes directly after the valid bytes.
        format!("byte {} of the line is {NOT_UTF_8}", error.valid_up_to() + 1)
    })?;
    let value: Value = serde_json::from_str(text).map_err(|error| in_file(&error, number))?;
    if is_icecat {
        return icecat(&value, warnings).map(|value| Product::of_value(&value));
    }
    // The original text is sent, not the parsed value, so that the shop notices a field that occurs twice.
    // Line breaks in valid JSON are always between tokens, so replacing them is safe.
    let json = text.trim().replace(['\r', '\n'], " ");
    Ok(Product { json, ..Product::of_value(&value) })
}

/// Returns the message of the parser, with the line number of the file instead of the line number inside the
/// product.
fn in_file(error: &serde_json::Error, number: u64) -> String {
    let message = error.to_string();
    let line = error.line();
    let column = error.column();
    match message.strip_suffix(&format!(" at line {line} column {column}")) {
        Some(reason) => {
            format!("{reason} at line {}, column {column}", number + line.saturating_sub(1) as u64)
        }
        None => message,
    }
}

/// Splits an array into its elements, or a sequence into its objects.
struct Splitter {
    reader: TextReader,
    layout: Layout,
    elements: Elements,
    /// Number of the line that is being read, from 1.
    number: u64,
    has_begun: bool,
    has_ended: bool,
}

impl Splitter {
    /// Returns the number of the line where the next element or object begins, and its bytes as one line.
    fn next(&mut self) -> io::Result<Option<(u64, Line)>> {
        if self.has_ended {
            return self.end();
        }
        if self.layout == Layout::Array && !std::mem::replace(&mut self.has_begun, true) {
            while self.byte()?.is_some_and(|byte| byte != b'[') {}
        }
        let mut line = Line { bytes: Vec::new(), is_too_long: false };
        let mut number = self.number;
        while let Some(byte) = self.byte()? {
            if byte == b'#' && !self.elements.is_in_element() {
                while self.byte()?.is_some_and(|byte| byte != b'\n') {}
                continue;
            }
            let is_first = !self.elements.is_in_element();
            match self.elements.role_of(byte) {
                ByteRole::Between => {}
                ByteRole::Element => {
                    number = if is_first { self.number } else { number };
                    line.is_too_long |= line.bytes.len() == LINE_BYTES_MAX;
                    if !line.is_too_long {
                        line.bytes.push(byte);
                    }
                    if self.layout == Layout::Sequence && byte == b'}' && self.elements.depth() == 0 {
                        self.elements = Elements::default();
                        return Ok(Some((number, line)));
                    }
                }
                ByteRole::ElementEnd => return Ok(Some((number, line))),
                ByteRole::LastElementEnd | ByteRole::ArrayEnd => {
                    self.has_ended = true;
                    return if line.bytes.is_empty() { self.end() } else { Ok(Some((number, line))) };
                }
            }
        }
        match (self.layout, line.bytes.is_empty()) {
            (Layout::Array, _) => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the array has no end: the file is incomplete",
            )),
            (_, true) => Ok(None),
            (Layout::Sequence, false) if self.elements.depth() > 0 => {
                let why =
                    format!("line {number}: the product that begins here has no end: the file is incomplete");
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, why))
            }
            (_, false) => Ok(Some((number, line))),
        }
    }

    /// Reads the rest of the file after an array. Only spaces, tabs and line breaks may follow.
    fn end(&mut self) -> io::Result<Option<(u64, Line)>> {
        while let Some(byte) = self.byte()? {
            if !byte.is_ascii_whitespace() {
                let why = format!("line {}: unexpected text after the end of the array", self.number);
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
        }
        Ok(None)
    }

    /// Reads the next byte and counts lines.
    fn byte(&mut self) -> io::Result<Option<u8>> {
        let byte = bounded::byte(&mut self.reader)?;
        self.number += u64::from(byte == Some(b'\n'));
        Ok(byte)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read as _};

    use super::*;

    fn read(text: &str, layout: Layout) -> Vec<InputLine> {
        let reader = BufReader::with_capacity(5, io::Cursor::new(text.to_owned()));
        lines(Box::new(reader), layout, false).collect::<Result<_, _>>().unwrap()
    }

    fn check(text: &str, layout: Layout, expected: &[(u64, bool)]) {
        assert_eq!(Layout::of(text), layout, "{text}");
        let read = read(text, layout);
        let found: Vec<_> = read.iter().map(|line| (line.number, line.product.is_ok())).collect();
        assert_eq!(found, expected, "{text}");
    }

    // Proves: products.import-formats
    #[test]
    fn products_are_found_in_lines_arrays_and_sequences() {
        check("{}\n\n{oops\n{}", Layout::Lines, &[(1, true), (3, false), (4, true)]);
        check("{oops\n{}", Layout::Lines, &[(1, false), (2, true)]);
        check("#souk line 2: x\n{}\n", Layout::Lines, &[(2, true)]);
        check("[\n {\"a\":\n1},\r\n{\"a\":},\n {}\n]\n", Layout::Array, &[(2, true), (4, false), (5, true)]);
        check("[{},{}]", Layout::Array, &[(1, true), (1, true)]);
        check("[]", Layout::Array, &[]);
        check("[\n#souk line 7: a, ]\n{},\n]\n", Layout::Array, &[(3, true)]);
        check("{\n\"a\": 1\n}\n{}\n{\"b\":\n[]}", Layout::Sequence, &[(1, true), (4, true), (5, true)]);
        check("", Layout::Lines, &[]);
    }

    #[test]
    fn the_original_bytes_are_kept_and_line_breaks_are_not_sent() {
        let line = read("[ {\"a\" :\r\n\"x\\ny\"} ]", Layout::Array).remove(0);
        assert_eq!(line.raw.unwrap().trim_ascii(), b"{\"a\" :\r\n\"x\\ny\"}");
        assert_eq!(line.product.unwrap().json, "{\"a\" :  \"x\\ny\"}");
        // A line break inside a JSON string is invalid, and stays invalid.
        let broken = read("[ {},\n\n{\"a\":\n\"x\ny\"} ]", Layout::Array).remove(1);
        assert!(broken.product.unwrap_err().contains(" at line 5, column "));
    }

    #[test]
    fn a_line_that_is_not_utf_8_is_refused_and_its_bytes_are_kept() {
        let reader = io::Cursor::new(b"{\"a\":\"Cr\xe8me\"}\r\n{}\n".to_vec());
        let mut lines = lines(Box::new(reader), Layout::Lines, false).map(Result::unwrap);
        let line = lines.next().unwrap();
        assert!(line.product.unwrap_err().starts_with("byte 9 of the line is not UTF-8"));
        assert_eq!(line.raw.as_deref(), Some(b"{\"a\":\"Cr\xe8me\"}\r".as_slice()));
        assert!(lines.next().unwrap().product.is_ok());
    }

    #[test]
    fn an_incomplete_file_is_refused() {
        for text in ["[{},{}", "[", "[{\"a\":\"]"] {
            let reader = Box::new(io::Cursor::new(text.to_owned()));
            let error = lines(reader, Layout::Array, false).find_map(Result::err).unwrap();
            assert!(error.to_string().contains("no end"), "{text}: {error}");
        }
        for text in ["{\n\"a\":1\n}\n{\n\"b\": \"cut", "{\n\"a\":1\n}\n{\n\"b\":{}\n"] {
            let reader = Box::new(io::Cursor::new(text.to_owned()));
            let error = lines(reader, Layout::Sequence, false).find_map(Result::err).unwrap();
            assert!(error.to_string().starts_with("line 4: "), "{text}: {error}");
        }
        let reader = Box::new(io::Cursor::new("[{}]\n{}"));
        let error = lines(reader, Layout::Array, false).find_map(Result::err).unwrap();
        assert_eq!(error.to_string(), "line 2: unexpected text after the end of the array");
    }

    #[test]
    fn a_product_that_is_too_long_is_refused_and_the_next_is_read() {
        let long = || io::repeat(b'x').take(5 * LINE_BYTES_MAX as u64);
        let line = long().chain("\n{}\n".as_bytes());
        let element = "[\"".as_bytes().chain(long()).chain("\",\n{}]".as_bytes());
        let files: [(TextReader, Layout); 2] = [
            (Box::new(BufReader::new(line)), Layout::Lines),
            (Box::new(BufReader::new(element)), Layout::Array),
        ];
        for (reader, layout) in files {
            let lines: Vec<InputLine> = lines(reader, layout, false).collect::<Result<_, _>>().unwrap();
            assert!(lines[0].product.as_ref().is_err_and(|why| why.contains("1048576 bytes")));
            assert_eq!(lines[0].raw, None);
            assert_eq!((lines[1].number, lines[1].product.is_ok()), (2, true));
        }
    }
}
