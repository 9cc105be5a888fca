//! Error file: every refused line, byte for byte, in a file that can be corrected and imported again.
//!
//! A remark before each line has its number and the reason. An import skips remarks.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use souk_domain::text::escaped_for_terminal;

use super::encoding::Encoding;
use super::line::InputLine;

/// First characters of a remark.
const REMARK: &str = "#souk line ";

/// Returns true if a line, or the first cell of a row, is a remark. A spreadsheet may have put it in quotes.
pub fn is_remark(line: &str) -> bool {
    line.trim_start().trim_start_matches('"').starts_with(REMARK)
}

/// Form of an imported file. Its error file has the same form.
#[derive(Clone, Debug)]
pub struct Form {
    /// Encoding of the file.
    pub encoding: Encoding,
    /// First bytes of the file: a BOM, and the header of a CSV file.
    pub begin: Vec<u8>,
    /// True if the file is a JSON array, so that commas separate its elements.
    pub is_array: bool,
}

/// Error file that is being written.
pub struct Refused {
    file: File,
    form: Form,
    has_begun: bool,
}

impl Refused {
    /// Creates the error file of an imported file.
    pub fn create(path: &Path, imported: &Path, form: Form) -> anyhow::Result<Self> {
        if is_same_file(path, imported) {
            bail!("--errors {}: this is the imported file itself; choose another file", path.display());
        }
        let file = File::create(path).with_context(|| format!("{} can't be written", path.display()))?;
        Ok(Self { file, form, has_begun: false })
    }

    /// Appends a refused line after a remark.
    pub fn add(&mut self, line: &InputLine, code: &str, reason: &str) -> io::Result<()> {
        let Form { encoding, begin, is_array } = &self.form;
        let mut bytes = Vec::new();
        if !std::mem::replace(&mut self.has_begun, true) {
            bytes.extend_from_slice(begin);
            if *is_array {
                bytes.extend(encoding.bytes(b"[\n"));
            }
        }
        let lost = if line.raw.is_none() { "; the line is too long to keep here" } else { "" };
        let remark = format!("{REMARK}{}: {code}: {reason}{lost}", line.number);
        // A quote in a remark would be read as a quote of the CSV file.
        let remark = escaped_for_terminal(&remark).replace('"', "'");
        bytes.extend(encoding.bytes(format!("{remark}\n").as_bytes()));
        if let Some(raw) = &line.raw {
            bytes.extend(encoding.bytes(raw));
            let end: &[u8] = match (is_array, raw.ends_with(b"\n")) {
                (true, _) => b",\n",
                (false, true) => b"",
                (false, false) => b"\n",
            };
            bytes.extend(encoding.bytes(end));
        }
        self.file.write_all(&bytes)
    }

    /// Completes the file and writes it to disk.
    pub fn finish(mut self) -> io::Result<()> {
        if self.has_begun && self.form.is_array {
            self.file.write_all(&self.form.encoding.bytes(b"]\n"))?;
        }
        self.file.sync_all()
    }
}

/// Returns true if both paths lead to the same file, also through links.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let inode = |path| fs::metadata(path).map(|of| (of.dev(), of.ino()));
    inode(one).is_ok_and(|one| inode(other).is_ok_and(|other| one == other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, raws: &[Option<&[u8]>]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("errors");
        let mut refused = Refused::create(&path, &folder.path().join("file"), form).unwrap();
        for (number, raw) in (2..).zip(raws) {
            let raw = raw.map(<[u8]>::to_vec);
            let product = Err(String::new());
            let line = InputLine { number, product, warnings: Vec::new(), raw, undeclared_price: None };
            refused.add(&line, "code", "a\u{1b}b").unwrap();
        }
        refused.finish().unwrap();
        fs::read(&path).unwrap()
    }

    // Proves: products.import-error-file
    #[test]
    fn refused_lines_are_kept_byte_for_byte_after_the_header() {
        let form = Form { encoding: Encoding::Utf8, begin: b"sku,name\r\n".to_vec(), is_array: false };
        let expected =
            b"sku,name\r\n#souk line 2: code: a\\u{1b}b\nE2,Cr\xe8me\r\n#souk line 3: code: a\\u{1b}b\nB\n";
        assert_eq!(written(form.clone(), &[Some(b"E2,Cr\xe8me\r\n"), Some(b"B")]), expected);
        let too_long = String::from_utf8(written(form.clone(), &[None])).unwrap();
        assert!(too_long.ends_with("the line is too long to keep here\n"), "{too_long}");
        assert_eq!(written(form, &[]), b"");
    }

    #[test]
    fn a_remark_contains_no_quotes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("errors");
        let form = Form { encoding: Encoding::Utf8, begin: b"sku,price\n".to_vec(), is_array: false };
        let mut refused = Refused::create(&path, &folder.path().join("file"), form).unwrap();
        let raw = Some(b"A,x\n".to_vec());
        let line = InputLine {
            number: 2,
            product: Err(String::new()),
            warnings: Vec::new(),
            raw,
            undeclared_price: None,
        };
        refused.add(&line, "code", "price `,\"5`").unwrap();
        refused.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"sku,price\n#souk line 2: code: price `,'5`\nA,x\n");
    }

    #[test]
    fn refused_elements_of_an_array_form_an_array() {
        let form = Form { encoding: Encoding::Utf8, begin: Vec::new(), is_array: true };
        let text = String::from_utf8(written(form, &[Some(b"{}"), Some(b"{oops}\n")])).unwrap();
        let lines: Vec<&str> = text.lines().filter(|line| !is_remark(line)).collect();
        assert_eq!(lines, ["[", "{},", "{oops}", ",", "]"]);
    }

    #[test]
    fn the_imported_file_is_never_its_own_error_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        fs::write(&path, "sku\n").unwrap();
        let form = Form { encoding: Encoding::Utf8, begin: Vec::new(), is_array: false };
        fs::hard_link(&path, folder.path().join("hard.csv")).unwrap();
        std::os::unix::fs::symlink(&path, folder.path().join("soft.csv")).unwrap();
        for name in ["./a.csv", "hard.csv", "soft.csv"] {
            assert!(Refused::create(&folder.path().join(name), &path, form.clone()).is_err(), "{name}");
            assert_eq!(fs::read(&path).unwrap(), b"sku\n");
        }
    }
}
