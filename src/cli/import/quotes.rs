//! Quotes in the rows of a CSV file, wherever they leave the meaning of a cell to guesses.
//!
//! The parser reads every text somehow. It takes a quoted cell without an end up to the end of the file, with all rows
//! in it, and a cell that goes on behind its closing quote without that quote. So each byte is looked at here as well,
//! by the parser's own rules of where a cell and a row end.

/// Reads the quotes of a file, byte by byte.
#[derive(Debug)]
pub struct Quotes {
    separator: u8,
    place: Place,
    /// The column of the cell, from 1.
    column: usize,
    /// The line on which the last quoted cell begins.
    opened_line: u64,
    fault: Option<String>,
}

/// A place in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Its beginning.
    Begin,
    /// Blanks at its beginning.
    Blanks,
    /// Text without quotes around it.
    Plain,
    /// Text between quotes.
    Quoted,
    /// Behind a quote, which closes the cell unless another quote follows.
    Closed,
}

impl Quotes {
    /// The quotes of a file with this sign between cells.
    pub fn new(separator: u8) -> Self {
        Self { separator, place: Place::Begin, column: 1, opened_line: 0, fault: None }
    }

    /// Begins a row.
    pub fn begin_row(&mut self) {
        self.place = Place::Begin;
        self.column = 1;
        self.fault = None;
    }

    /// Takes the next byte, which stands on this line.
    pub fn read(&mut self, byte: u8, line: u64) {
        match (self.place, byte) {
            (Place::Quoted, b'"') => self.place = Place::Closed,
            (Place::Quoted, _) => {}
            (Place::Closed, b'"') => self.place = Place::Quoted,
            (_, byte) if byte == self.separator => {
                self.place = Place::Begin;
                self.column += 1;
            }
            (_, b'\r' | b'\n') => self.place = Place::Begin,
            (Place::Begin, b'"') => {
                self.place = Place::Quoted;
                self.opened_line = line;
            }
            (Place::Begin | Place::Blanks, b' ' | b'\t') => self.place = Place::Blanks,
            (Place::Blanks, b'"') => self.plain("a blank stands before the quote of the cell"),
            (Place::Closed, _) => self.plain(&self.words_behind(line)),
            _ => self.place = Place::Plain,
        }
    }

    /// What is wrong with the quotes of the row, with the column.
    pub fn fault(&mut self) -> Option<String> {
        self.fault.take()
    }

    /// Words for a cell that has no end, when the file ends here.
    pub fn unclosed(&self) -> Option<String> {
        let Self { column, opened_line, .. } = self;
        (self.place == Place::Quoted).then(|| {
            format!(
                "line {opened_line}, column {column}: the quoted cell that begins here has no end: the file is cut \
                 off, or a quote is missing"
            )
        })
    }

    /// Goes on as the parser does, without quotes. The first fault of a row is kept.
    fn plain(&mut self, fault: &str) {
        self.place = Place::Plain;
        let column = self.column;
        self.fault.get_or_insert_with(|| format!("column {column}: {fault}"));
    }

    fn words_behind(&self, line: u64) -> String {
        let twice = "a quote inside a quoted cell is written twice";
        match self.opened_line {
            opened if opened == line => format!("the cell goes on behind its closing quote; {twice}"),
            opened => format!(
                "the quote that begins on line {opened} is closed on line {line}, and the cell goes on: is a quote \
                 missing? ({twice})"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fault of a row, and the words for a file that ends there.
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
    fn quotes_that_leave_no_question_are_no_fault() {
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
    fn a_cell_that_goes_on_behind_its_quote_is_a_fault_of_its_column() {
        for (row, words) in [
            ("A,\"12\" nail\",5\n", "column 2: the cell goes on behind its closing quote"),
            ("\"a\"b,100\n", "column 1: the cell goes on"),
            ("\"a\" ,100\n", "column 1: the cell goes on"),
            ("A, \"Lamp, big\",5\n", "column 2: a blank stands before the quote"),
            ("A,5,\"open\nB,6,\"fine\"\n", "column 3: the quote that begins on line 2 is closed on line 3"),
        ] {
            let (fault, unclosed) = read(row);
            assert!(fault.as_ref().is_some_and(|fault| fault.starts_with(words)), "{row}: {fault:?}");
            assert_eq!(unclosed, None, "{row}");
        }
    }

    #[test]
    fn a_cell_without_an_end_is_found_with_the_line_that_it_begins_on() {
        for (row, place) in [("A,\"open\nB,6\n", "line 2, column 2: "), ("A\nB,\"\"\"", "line 3, column 2: ")]
        {
            let words = read(row).1.unwrap_or_default();
            assert!(words.starts_with(place) && words.contains("has no end"), "{row}: {words}");
        }
    }
}
