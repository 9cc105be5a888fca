//! A look at the write-ahead log before SQLite opens it.
//!
//! SQLite reads a WAL up to the first frame that doesn't check out and drops everything behind it. For a
//! torn last transaction that is right: it was never acknowledged. For a damaged frame further in front
//! it would silently lose what was synced. So: when frames of this WAL (by their salts) lie behind the
//! next commit after the first bad frame, acknowledged data would be dropped, and the log is refused.
//!
//! Format: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use crate::OpenError;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// First word of the header; its last bit says that checksums are over big-endian words.
const MAGIC: u32 = 0x377f_0682;

/// Refuses a log whose WAL is damaged in front of synced data.
pub(crate) fn check(log: &Path) -> Result<(), OpenError> {
    let wal = log.with_extension("sqlite-wal");
    let unusable = |error: std::io::Error| OpenError::Unusable { path: wal.clone(), reason: error.to_string() };
    let file = match File::open(&wal) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unusable(error)),
    };
    match first_lost_frame(BufReader::with_capacity(1 << 20, file)).map_err(unusable)? {
        None => Ok(()),
        Some(frame) => Err(OpenError::Damaged {
            path: log.to_owned(),
            position: None,
            what: format!("frame {frame} of its write-ahead log is invalid and synced transactions lie behind it"),
        }),
    }
}

/// The number of the first bad frame, when synced frames lie behind its transaction.
fn first_lost_frame(mut wal: impl Read) -> std::io::Result<Option<u64>> {
    let mut header = [0; HEADER_BYTES];
    if !fill(&mut wal, &mut header)? || word(&header, 0) & !1 != MAGIC {
        return Ok(None);
    }
    let big_endian = word(&header, 0) & 1 == 1;
    let page_bytes = match word(&header, 8) {
        1 => 65_536,
        bytes => bytes as usize,
    };
    if !page_bytes.is_power_of_two() || !(512..=65_536).contains(&page_bytes) {
        return Ok(None);
    }
    let salts = [word(&header, 16), word(&header, 20)];
    let mut sum = checksum([0, 0], &header[..24], big_endian);
    if sum != [word(&header, 24), word(&header, 28)] {
        return Ok(None);
    }
    let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes];
    let (mut number, mut bad, mut committed_behind) = (0, None, false);
    while fill(&mut wal, &mut frame)? {
        number += 1;
        if [word(&frame, 8), word(&frame, 12)] != salts {
            // A frame of an earlier round: the end of this one, unless it was the salts that broke.
            bad = bad.or(Some(number));
            continue;
        }
        if committed_behind {
            return Ok(bad);
        }
        if bad.is_none() {
            sum = checksum(sum, &frame[..8], big_endian);
            sum = checksum(sum, &frame[FRAME_HEADER_BYTES..], big_endian);
            if sum != [word(&frame, 16), word(&frame, 20)] {
                bad = Some(number);
            }
        }
        let is_commit = word(&frame, 4) != 0;
        committed_behind = bad.is_some() && is_commit;
    }
    Ok(None)
}

/// Reads a whole buffer; `false` at the end of the file.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<bool> {
    match from.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// SQLite's running checksum over pairs of words.
fn checksum([mut s0, mut s1]: [u32; 2], bytes: &[u8], big_endian: bool) -> [u32; 2] {
    let native = |at: usize| {
        let word = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    };
    for at in (0..bytes.len()).step_by(8) {
        s0 = s0.wrapping_add(native(at)).wrapping_add(s1);
        s1 = s1.wrapping_add(native(at + 4)).wrapping_add(s0);
    }
    [s0, s1]
}
