//! Reads the file to import: unpacks, decodes and parses it.
//!
//! If the name of the file and the options do not determine the format, it is guessed from the beginning of
//! the file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use flate2::read::MultiGzDecoder;

use super::Format;
use super::bounded::TextReader;
use super::csv::{self, Cells};
use super::encoding::{Decoded, Encoding, is_utf_8_beyond_ascii};
use super::header_row;
use super::json::{self, Layout};
use super::line::Lines;
use super::refused::{Form, is_remark};

/// Number of bytes at the beginning of a file that are used to guess its format.
const BEGIN_BYTES_MAX: usize = 64 * 1024;

/// First bytes of files that can't be imported: zip archives (among them .xlsx and .ods workbooks), and .xls
/// workbooks.
const BINARIES: [&[u8]; 2] = [b"PK\x03\x04", b"\xd0\xcf\x11\xe0"];

/// Format of a file, from the option, the name or the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// JSON products in the shape of the API.
    Json,
    /// Columns with any separator.
    Csv,
    /// Columns with tabs between them.
    Tsv,
    /// Icecat's open catalogue.
    Icecat,
}

/// File to import, and options for reading it.
#[derive(Clone, Debug, Args)]
pub struct SourceArgs {
    /// File to import. It may be compressed with gzip.
    pub file: PathBuf,
    /// Format of the file. By default it follows from the name (.csv, .tsv, .json, .jsonl, .ndjson, also with
    /// .gz) or from the first lines of the file.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Encoding of the file. By default the BOM determines it; a file without a BOM is read as UTF-8.
    #[arg(long, value_enum)]
    pub encoding: Option<Encoding>,
    /// Separator between the columns of a CSV file: `,`, `;`, `|` or `tab`. By default it is guessed from the
    /// header row.
    #[arg(long, value_name = "SIGN", value_parser = separator)]
    pub separator: Option<u8>,
    /// Decimal sign of the prices of a CSV file: `.` or `,`. Without this option the prices are whole minor
    /// units.
    #[arg(long, value_name = "SIGN", value_parser = decimal_sign)]
    pub decimal: Option<char>,
}

fn separator(text: &str) -> Result<u8, String> {
    match text {
        "," | ";" | "|" | "\t" => Ok(text.as_bytes()[0]),
        "tab" | "\\t" => Ok(b'\t'),
        _ => Err("must be `,`, `;`, `|` or `tab`".to_owned()),
    }
}

fn decimal_sign(text: &str) -> Result<char, String> {
    match text {
        "." => Ok('.'),
        "," => Ok(','),
        _ => Err("must be `.` or `,`".to_owned()),
    }
}

/// File whose format is known and whose lines can be read.
pub struct Source {
    /// Lines of the file, which are parsed one at a time.
    pub lines: Lines,
    /// Form of the file, for the error file.
    pub form: Form,
}

impl SourceArgs {
    /// Opens the file. It is read twice, so the content of a pipe is copied to a temporary file first.
    pub fn open(&self) -> anyhow::Result<File> {
        let unreadable = || format!("{} can't be read", self.file.display());
        let mut file = File::open(&self.file).with_context(unreadable)?;
        if file.metadata().with_context(unreadable)?.is_file() {
            return Ok(file);
        }
        let mut copy = tempfile::tempfile().context("can't create a temporary file")?;
        io::copy(&mut file, &mut copy).with_context(unreadable)?;
        copy.rewind()?;
        Ok(copy)
    }

    /// Refuses a UTF-8 file that is declared as Windows-1252, because each letter beyond ASCII would become
    /// two or more wrong characters.
    pub fn check_encoding(&self, file: impl Read + 'static) -> anyhow::Result<()> {
        if self.encoding == Some(Encoding::Windows1252) && is_utf_8_beyond_ascii(unpacked(file)?)? {
            bail!("--encoding windows-1252: the file is UTF-8; leave --encoding out");
        }
        Ok(())
    }

    /// Reads the file from its beginning.
    pub fn read(&self, file: impl Read + 'static) -> anyhow::Result<Source> {
        self.source(file).with_context(|| self.file.display().to_string())
    }

    fn source(&self, file: impl Read + 'static) -> anyhow::Result<Source> {
        let (begin, mut bytes) = with_first_bytes(unpacked(file)?)?;
        if BINARIES.iter().any(|mark| begin.starts_with(mark)) {
            bail!("this is a workbook or an archive; save the sheet as CSV and import the CSV file");
        }
        let (encoding, bom) = Encoding::of(&begin, self.encoding).map_err(anyhow::Error::msg)?;
        io::copy(&mut bytes.by_ref().take(bom.len() as u64), &mut io::sink())?;
        let text = BufReader::new(Decoded::new(bytes, encoding));
        let (begin, reader) = with_first_bytes(text)?;
        let begin = valid_utf_8(&begin);
        let kind = self.format.map_or_else(|| kind_by_name(&self.file), |format| Some(format.kind()));
        let kind = kind.unwrap_or_else(|| kind_by_content(begin));
        let is_table = matches!(kind, Kind::Csv | Kind::Tsv);
        if !is_table && (self.decimal.is_some() || self.separator.is_some()) {
            bail!("--decimal and --separator are only for CSV files; this file is JSON");
        }
        let mut form = Form { encoding, begin: bom.to_vec(), is_array: false };
        let lines = if is_table {
            let separator = self.separator.unwrap_or_else(|| separator_of(kind, begin));
            let (lines, head) = csv::lines(reader, Cells { separator, decimal_sign: self.decimal })?;
            form.begin.extend(encoding.bytes(&head));
            lines
        } else {
            let layout = Layout::of(begin);
            form.is_array = layout != Layout::Lines;
            json::lines(reader, layout, kind == Kind::Icecat)
        };
        Ok(Source { lines, form })
    }
}

/// Returns the bytes of a file. A gzip file, known by its first two bytes, is unpacked.
fn unpacked(file: impl Read + 'static) -> io::Result<TextReader> {
    let mut reader = BufReader::new(file);
    let is_gzip = reader.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    Ok(if is_gzip { Box::new(BufReader::new(MultiGzDecoder::new(reader))) } else { Box::new(reader) })
}

/// Reads the first bytes. Returns them, and a reader of the whole content, including these bytes.
fn with_first_bytes(mut reader: impl BufRead + 'static) -> io::Result<(Vec<u8>, TextReader)> {
    let mut begin = Vec::new();
    reader.by_ref().take(BEGIN_BYTES_MAX as u64).read_to_end(&mut begin)?;
    let all = Cursor::new(begin.clone()).chain(reader);
    Ok((begin, Box::new(all)))
}

/// Returns the text before the first byte that is not UTF-8.
fn valid_utf_8(bytes: &[u8]) -> &str {
    bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}

/// Returns the format that belongs to the extension of the file name.
fn kind_by_name(file: &Path) -> Option<Kind> {
    let name = file.file_name()?.to_str()?.to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match name.rsplit_once('.')?.1 {
        "csv" => Some(Kind::Csv),
        "tsv" | "tab" => Some(Kind::Tsv),
        "json" | "jsonl" | "ndjson" => Some(Kind::Json),
        _ => None,
    }
}

/// Guesses the format from the beginning of the file.
fn kind_by_content(begin: &str) -> Kind {
    let is_json = content_lines(begin).next().is_some_and(|line| line.trim_start().starts_with(['{', '[']));
    if is_json { Kind::Json } else { Kind::Csv }
}

fn separator_of(kind: Kind, begin: &str) -> u8 {
    let head = content_lines(begin).next().unwrap_or("");
    match (kind, header_row::declared_separator(head)) {
        (Kind::Tsv, _) => b'\t',
        (_, Some(declared)) => declared,
        (_, None) => header_row::separator(head),
    }
}

fn content_lines(begin: &str) -> impl Iterator<Item = &str> {
    begin.split(['\r', '\n']).filter(|line| !line.trim().is_empty() && !is_remark(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_follows_from_the_ending_of_the_name_in_any_case() {
        for (name, expected) in [
            ("a.csv", Some(Kind::Csv)),
            ("UPPER.CSV", Some(Kind::Csv)),
            ("a.Csv.GZ", Some(Kind::Csv)),
            ("a.tsv", Some(Kind::Tsv)),
            ("a.json", Some(Kind::Json)),
            ("a.jsonl", Some(Kind::Json)),
            ("a.ndjson.gz", Some(Kind::Json)),
            ("my.csv.files/a.jsonl", Some(Kind::Json)),
            ("a.csv.bak", None),
            ("a.txt", None),
            ("csv", None),
        ] {
            assert_eq!(kind_by_name(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn without_a_known_ending_the_format_follows_from_the_first_line() {
        for (begin, expected) in [
            ("sku;name\n", Kind::Csv),
            ("\n {\"name\":1}", Kind::Json),
            ("[{}]", Kind::Json),
            ("#souk line 2: x\n{}", Kind::Json),
            ("", Kind::Csv),
        ] {
            assert_eq!(kind_by_content(begin), expected, "{begin}");
        }
    }
}
