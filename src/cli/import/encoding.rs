//! Encodings of imported files. A file is decoded to UTF-8, and refused lines are encoded back to exactly the
//! same bytes.
//!
//! Invalid characters are never replaced. Half of a surrogate pair in UTF-16 has no valid form in UTF-8. It
//! is decoded to the three bytes that UTF-8 would use for it. The line is then refused as invalid UTF-8, and
//! the error file gets its original bytes.

use std::io::{self, BufRead, ErrorKind, Read};

use clap::ValueEnum;
use encoding_rs::WINDOWS_1252;

use super::bounded::TextReader;

/// Encoding of an imported file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Encoding {
    /// UTF-8, with or without BOM.
    #[value(name = "utf-8")]
    Utf8,
    /// UTF-16 in the byte order of its BOM, or little-endian without a BOM.
    #[value(name = "utf-16")]
    Utf16,
    /// UTF-16, big-endian.
    #[value(name = "utf-16be")]
    Utf16Be,
    /// Windows-1252, which includes Latin-1.
    #[value(name = "windows-1252")]
    Windows1252,
}

/// Byte order marks: the first bytes of a file that name its encoding.
const BOMS: [(&[u8], Encoding); 3] =
    [(b"\xef\xbb\xbf", Encoding::Utf8), (b"\xff\xfe", Encoding::Utf16), (b"\xfe\xff", Encoding::Utf16Be)];

impl Encoding {
    /// Finds the encoding of a file and its BOM from the first bytes. Without a BOM, the encoding is the
    /// declared one, or UTF-8.
    pub fn of(begin: &[u8], declared: Option<Self>) -> Result<(Self, &'static [u8]), String> {
        let name = |encoding: Self| {
            encoding.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
        };
        let found = BOMS.into_iter().find(|(bom, _)| begin.starts_with(bom));
        match (found, declared) {
            // A file that is declared as UTF-16 may have either byte order.
            (Some((bom, found)), None) => Ok((found, bom)),
            (Some((bom, found)), Some(declared))
                if found == declared || (found == Self::Utf16Be && declared == Self::Utf16) =>
            {
                Ok((found, bom))
            }
            (Some((_, found)), Some(declared)) => {
                Err(format!("--encoding {}: the file has the BOM of {}", name(declared), name(found)))
            }
            (None, Some(declared)) => Ok((declared, b"")),
            (None, None) if matches!(begin, [_, 0, ..] | [0, _, ..]) => {
                Err("the file looks like UTF-16 without a BOM; use --encoding utf-16 or utf-16be".to_owned())
            }
            (None, None) => Ok((Self::Utf8, b"")),
        }
    }

    /// Encodes text. Text that was decoded from the file gets its original bytes back.
    pub fn bytes(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Utf8 => text.to_vec(),
            Self::Windows1252 => match std::str::from_utf8(text) {
                Ok(text) => WINDOWS_1252.encode(text).0.into_owned(),
                Err(_) => text.to_vec(),
            },
            Self::Utf16 => units(text).flat_map(u16::to_le_bytes).collect(),
            Self::Utf16Be => units(text).flat_map(u16::to_be_bytes).collect(),
        }
    }
}

/// Returns true if the bytes are valid UTF-8 with at least one character beyond ASCII. Real text in another
/// encoding is practically never valid UTF-8.
pub fn is_utf_8_beyond_ascii(mut source: impl BufRead) -> io::Result<bool> {
    let mut is_beyond_ascii = false;
    // Bytes of a character that began in the piece before.
    let mut rest = Vec::new();
    loop {
        let piece = source.fill_buf()?;
        if piece.is_empty() {
            return Ok(is_beyond_ascii && rest.is_empty());
        }
        let count = piece.len();
        rest.extend_from_slice(piece);
        source.consume(count);
        is_beyond_ascii |= !rest.is_ascii();
        let valid = match std::str::from_utf8(&rest) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Ok(false),
        };
        rest.drain(..valid);
    }
}

/// Encodes text as UTF-16 units. Halves of surrogate pairs have the form that [`Decoded`] gives them.
fn units(text: &[u8]) -> impl Iterator<Item = u16> {
    let mut units = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        let valid = match std::str::from_utf8(rest) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let (text, after) = rest.split_at(valid);
        units.extend(std::str::from_utf8(text).unwrap_or("").encode_utf16());
        let Some(([a, b, c], after)) = after.split_first_chunk() else { return units.into_iter() };
        units.push((u16::from(a & 0x0f) << 12) | (u16::from(b & 0x3f) << 6) | u16::from(c & 0x3f));
        rest = after;
    }
}

/// Reader that decodes a file to UTF-8.
pub struct Decoded {
    source: TextReader,
    encoding: Encoding,
    text: Vec<u8>,
    read: usize,
    /// First byte of a UTF-16 unit whose second byte was not read yet.
    half: Option<u8>,
    /// First unit of a surrogate pair whose second unit was not read yet.
    high: Option<u16>,
}

impl Decoded {
    /// Creates a decoder. The BOM must already be read from the source.
    pub fn new(source: TextReader, encoding: Encoding) -> Self {
        Self { source, encoding, text: Vec::new(), read: 0, half: None, high: None }
    }

    fn unit(&mut self, unit: u16) {
        if let Some(high) = self.high.take() {
            if let Some(Ok(c)) = char::decode_utf16([high, unit]).next() {
                self.push(c);
                return;
            }
            self.push_half(high);
        }
        match char::from_u32(u32::from(unit)) {
            Some(c) => self.push(c),
            None if unit < 0xdc00 => self.high = Some(unit),
            None => self.push_half(unit),
        }
    }

    fn push(&mut self, c: char) {
        self.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn push_half(&mut self, unit: u16) {
        let [high, low] = unit.to_be_bytes();
        let second = 0x80 | ((high & 0x0f) << 2) | (low >> 6);
        self.text.extend_from_slice(&[0xe0 | (high >> 4), second, 0x80 | (low & 0x3f)]);
    }

    /// Decodes the next bytes into `text`. It stays empty only at the end of the source.
    fn fill(&mut self) -> io::Result<()> {
        self.text.clear();
        self.read = 0;
        while self.text.is_empty() {
            let bytes = self.source.fill_buf()?;
            let count = bytes.len();
            if count == 0 {
                return self.end();
            }
            if self.encoding == Encoding::Windows1252 {
                let text = WINDOWS_1252.decode_without_bom_handling(bytes).0;
                self.text.extend_from_slice(text.as_bytes());
            } else {
                // A copy, because `unit` borrows `self` mutably.
                let bytes = bytes.to_vec();
                for byte in bytes {
                    match self.half.take() {
                        None => self.half = Some(byte),
                        Some(first) if self.encoding == Encoding::Utf16Be => {
                            self.unit(u16::from_be_bytes([first, byte]));
                        }
                        Some(first) => self.unit(u16::from_le_bytes([first, byte])),
                    }
                }
            }
            self.source.consume(count);
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        if self.half.is_some() {
            let why = "the file ends inside a UTF-16 character";
            return Err(io::Error::new(ErrorKind::InvalidData, why));
        }
        if let Some(high) = self.high.take() {
            self.push_half(high);
        }
        Ok(())
    }
}

impl Read for Decoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.encoding == Encoding::Utf8 {
            return self.source.read(buffer);
        }
        if self.read == self.text.len() {
            self.fill()?;
        }
        let count = buffer.len().min(self.text.len() - self.read);
        buffer[..count].copy_from_slice(&self.text[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn decoded(bytes: &[u8], encoding: Encoding) -> io::Result<Vec<u8>> {
        // Small pieces split characters.
        let source = BufReader::with_capacity(3, io::Cursor::new(bytes.to_vec()));
        let mut text = Vec::new();
        Decoded::new(Box::new(source), encoding).read_to_end(&mut text)?;
        Ok(text)
    }

    #[test]
    fn every_encoding_returns_the_original_bytes() {
        let text = "Crème brûlée €, 🏺\r\n";
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let utf16_be: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (bytes, encoding) in
            [(text.as_bytes(), Encoding::Utf8), (&utf16, Encoding::Utf16), (&utf16_be, Encoding::Utf16Be)]
        {
            assert_eq!(decoded(bytes, encoding).unwrap(), text.as_bytes(), "{encoding:?}");
            assert_eq!(encoding.bytes(text.as_bytes()), bytes, "{encoding:?}");
        }
        let all: Vec<u8> = (0..=255).collect();
        let text = decoded(&all, Encoding::Windows1252).unwrap();
        assert!(std::str::from_utf8(&text).unwrap().contains('è'));
        assert_eq!(Encoding::Windows1252.bytes(&text), all);
    }

    #[test]
    fn invalid_characters_are_kept_and_never_replaced() {
        let latin1 = b"Cr\xe8me";
        assert_eq!(decoded(latin1, Encoding::Utf8).unwrap(), latin1);
        for halves in [&[0xd83c, 0x41][..], &[0xdffa, 0x41], &[0xd83c], &[0xd83c, 0xd83c, 0xdffa]] {
            let bytes: Vec<u8> = halves.iter().flat_map(|unit: &u16| unit.to_le_bytes()).collect();
            let text = decoded(&bytes, Encoding::Utf16).unwrap();
            assert!(std::str::from_utf8(&text).is_err(), "{halves:x?}");
            assert_eq!(Encoding::Utf16.bytes(&text), bytes, "{halves:x?}");
        }
        let cut_off = decoded(&[0x41, 0, 0x42], Encoding::Utf16).unwrap_err();
        assert!(cut_off.to_string().contains("ends inside"), "{cut_off}");
    }

    #[test]
    fn utf_8_is_distinguished_from_single_byte_encodings() {
        for (bytes, expected) in [
            ("Crème brûlée, 🏺".as_bytes(), true),
            (b"Cr\xe8me br\xfbl\xe9e", false),
            (b"Creme", false),
            (b"", false),
            ("Crème".as_bytes().split_last().unwrap().1, true),
            (b"Cr\xc3", false),
        ] {
            let source = BufReader::with_capacity(3, io::Cursor::new(bytes.to_vec()));
            assert_eq!(is_utf_8_beyond_ascii(Box::new(source)).unwrap(), expected, "{bytes:x?}");
        }
    }

    // Proves: products.import-encodings
    #[test]
    fn a_bom_sets_the_encoding_and_must_match_the_declared_one() {
        let check = |begin: &[u8], declared, expected| {
            assert_eq!(
                Encoding::of(begin, declared).map(|(encoding, _)| encoding).ok(),
                expected,
                "{begin:x?}"
            );
        };
        check(b"sku", None, Some(Encoding::Utf8));
        check(b"\xef\xbb\xbfsku", None, Some(Encoding::Utf8));
        check(b"\xff\xfes\0", None, Some(Encoding::Utf16));
        check(b"\xfe\xff\0s", Some(Encoding::Utf16), Some(Encoding::Utf16Be));
        check(b"s\0k\0", Some(Encoding::Utf16), Some(Encoding::Utf16));
        check(b"sku", Some(Encoding::Windows1252), Some(Encoding::Windows1252));
        check(b"\xff\xfes\0", Some(Encoding::Utf8), None);
        check(b"s\0k\0", None, None);
        check(b"", None, Some(Encoding::Utf8));
    }
}
