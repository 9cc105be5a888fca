//! Check for misplaced quotes in CSV files.
//!
//! The CSV parser accepts every text. If a quoted cell is not closed, the cell contains all rows up to the
//! end of the file. If text follows a closing quote, the parser drops the quote. This module reads the same
//! bytes as the parser, with the same rules for the end of a cell and of a row, and reports such quotes.

/// State of the check, which reads a file byte by byte.
#[derive(Debug)]
pub struct Quotes {
    separator: u8,
    cell: CellState,
    /// Number of the current column, from 1.
    column: usize,
    /// Number of the line where the latest quoted cell begins.
    opened_line: u64,
    fault: Option<String>,
}

/// State of the current cell after a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CellState {
    /// No byte of the cell is read yet.
    Begin,
    /// Only spaces and tabs are read so far.
    Blanks,
    /// The byte belongs to text without quotes around it.
    Plain,
    /// The byte belongs to text between quotes.
    Quoted,
    /// The byte is a quote inside a quoted cell. It closes the cell, unless another quote follows.
    Closed,
}

impl Quotes {
    /// Creates a check. `separator` is the byte between cells.
    pub fn new(separator: u8) -> Self {
        Self { separator, cell: CellState::Begin, column: 1, opened_line: 0, fault: None }
    }

    /// Begins a new row and forgets the fault of the previous row.
    pub fn begin_row(&mut self) {
        self.cell = CellState::Begin;
        self.column = 1;
        self.fault = None;
    }

    /// Checks the next byte. `line` is the number of its line.
    pub fn read(&mut self, byte: u8, line: u64) {
        match (self.cell, byte) {
            (CellState::Quoted, b'"') => self.cell = CellState::Closed,
            (CellState::Quoted, _) => {}
            (CellState::Closed, b'"') => self.cell = CellState::Quoted,
            (_, byte) if byte == self.separator => {
                self.cell = CellState::Begin;
                self.column += 1;
            }
            (_, b'\r' | b'\n') => self.cell = CellState::Begin,
            (CellState::Begin, b'"') => {
                self.cell = CellState::Quoted;
                self.opened_line = line;
            }
            (CellState::Begin | CellState::Blanks, b' ' | b'\t') => self.cell = CellState::Blanks,
            (CellState::Blanks, b'"') => self.report("there is a blank before the quote of the cell"),
            (CellState::Closed, _) => self.report(&self.text_after_quote(line)),
            _ => self.cell = CellState::Plain,
        }
    }

    /// Returns the first fault of the row, with its column, and forgets it.
    pub fn fault(&mut self) -> Option<String> {
        self.fault.take()
    }

    /// Returns the message about a quoted cell that is still open. Call it at the end of the file.
    pub fn unclosed(&self) -> Option<String> {
        let Self { column, opened_line, .. } = self;
        (self.cell == CellState::Quoted).then(|| {
            format!(
                "line {opened_line}, column {column}: the quoted cell that begins here has no end: the file is \
                incomplete, or a quote is missing"
            )
        })
    }

    /// Records a fault, unless the row already has one. Like the parser, treats the rest of the cell as text
    /// without quotes around it.
    fn report(&mut self, fault: &str) {
        self.cell = CellState::Plain;
        let column = self.column;
        self.fault.get_or_insert_with(|| format!("column {column}: {fault}"));
    }

    fn text_after_quote(&self, line: u64) -> String {
        let rule = "inside a quoted cell, write a quote twice";
        match self.opened_line {
            opened if opened == line => format!("there is text after the closing quote of the cell; {rule}"),
            opened => format!(
                "the quote that opens on line {opened} is closed on line {line}, and text follows it: is a quote \
                missing? ({rule})"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the fault of a row, and the message about an unclosed cell.
    fn read(row: &str) -> (Option<String>, Option<String>) {
        let mut quotes = Quotes::new(b',');
        quotes.begin_row();
        let mut line = 2;
        for byte in row.bytes() {
            quotes.read(byte, line);
            line += u64::from(byte == b'\n');
        }
        (quotes.fault(), quotes.unclosed())
    }

    #[test]
    fn quotes_in_the_right_places_are_not_reported() {
        for row in [
            "A,\"Lamp, \"\"big\"\"\",\"\"\n",
            "\"a\nb\",c\r\n",
            "A,12\" nail,5",
            "A, ,\t,b",
            "\"a\",\"b\"",
            "\"\"\"\"",
        ] {
            assert_eq!(read(row), (None, None), "{row}");
        }
    }

    #[test]
    fn a_misplaced_quote_is_reported_with_its_column() {
        for (row, words) in [
            ("A,\"12\" nail\",5\n", "column 2: there is text after the closing quote"),
            ("\"a\"b,100\n", "column 1: there is text after"),
            ("\"a\" ,100\n", "column 1: there is text after"),
            ("A, \"Lamp, big\",5\n", "column 2: there is a blank before the quote"),
            ("A,5,\"open\nB,6,\"fine\"\n", "column 3: the quote that opens on line 2 is closed on line 3"),
        ] {
            let (fault, unclosed) = read(row);
            assert!(fault.as_ref().is_some_and(|fault| fault.starts_with(words)), "{row}: {fault:?}");
            assert_eq!(unclosed, None, "{row}");
        }
    }

    #[test]
    fn an_unclosed_cell_is_reported_with_the_line_where_it_begins() {
        for (row, place) in [("A,\"open\nB,6\n", "line 2, column 2: "), ("A\nB,\"\"\"", "line 3, column 2: ")]
        {
            let message = read(row).1.unwrap_or_default();
            assert!(message.starts_with(place) && message.contains("has no end"), "{row}: {message}");
        }
    }
}
