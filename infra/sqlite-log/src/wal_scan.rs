//! A look at the write-ahead log before `SQLite` opens it.
//!
//! `SQLite` reads a WAL up to the first frame that doesn't check out and drops everything behind it. For
//! a torn last transaction that is right: it was never acknowledged. For a damaged frame further in
//! front, or a damaged header, it would silently lose what was synced. A transaction is only begun when
//! the one before it is on disk. So: when a frame of this WAL (by its salts) behind the first bad one
//! belongs to a later transaction, acknowledged events would be dropped, and the log is refused.
//!
//! A transaction ends with a frame that is marked as its commit; as the mark itself may be what is
//! damaged, one is also known by its pages: inside a transaction they come in increasing order.
//!
//! Format: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use crate::OpenError;
use crate::open::{PAGE_BYTES, beside};

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// First word of the header; its last bit says that checksums are over big-endian words.
const MAGIC: u32 = 0x377f_0682;
/// Looks at a WAL that somebody may be writing to. Damage is what two in a row see.
const LOOKS_MAX: usize = 4;

/// Where a WAL is damaged in front of synced data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    Header,
    /// The frame's number, from 1.
    Frame(u64),
}

/// Refuses a log whose WAL is damaged in front of synced data.
pub(crate) fn check(log: &Path) -> Result<(), OpenError> {
    let wal = beside(log, "-wal");
    let mut seen_before = None;
    for _ in 0..LOOKS_MAX {
        let seen = look(&wal)
            .map_err(|error| OpenError::Unusable { path: wal.clone(), reason: error.to_string() })?;
        let Some(damage) = seen else { return Ok(()) };
        if seen_before == seen {
            let place = match damage {
                Damage::Header => "the header".to_owned(),
                Damage::Frame(number) => format!("frame {number}"),
            };
            let what =
                format!("{place} of its write-ahead log is invalid and synced transactions lie behind it");
            return Err(OpenError::Damaged { path: log.to_owned(), position: None, what });
        }
        seen_before = seen;
    }
    // It changes under our eyes: somebody writes, and opened it unharmed.
    Ok(())
}

fn look(wal: &Path) -> std::io::Result<Option<Damage>> {
    match File::open(wal) {
        Ok(file) => damage_before_synced_data(BufReader::with_capacity(1 << 20, file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn damage_before_synced_data(mut wal: impl Read) -> std::io::Result<Option<Damage>> {
    let mut header = [0; HEADER_BYTES];
    if !fill(&mut wal, &mut header)? {
        return Ok(None);
    }
    let mut frame = vec![0; FRAME_HEADER_BYTES + PAGE_BYTES];
    let big_endian = word(&header, 0) & 1 == 1;
    let mut sum = checksum([0, 0], &header[..24], big_endian);
    let is_sound = word(&header, 0) & !1 == MAGIC
        && word(&header, 8) as usize == PAGE_BYTES
        && sum == [word(&header, 24), word(&header, 28)];
    if !is_sound {
        // A header is synced before the first frame is written.
        let has_frames = fill(&mut wal, &mut frame)? && frame.iter().any(|byte| *byte != 0);
        return Ok(has_frames.then_some(Damage::Header));
    }
    let salts = &header[16..24];
    let (mut number, mut bad, mut page_before, mut is_committed) = (0, None, 0, false);
    while fill(&mut wal, &mut frame)? {
        number += 1;
        if &frame[8..16] != salts {
            // A frame of an earlier round: the end of this one, unless it was the salts that broke.
            bad = bad.or(Some(number));
            continue;
        }
        let page = word(&frame, 0);
        if let Some(bad) = bad
            && (is_committed || (page != 0 && page <= page_before))
        {
            return Ok(Some(Damage::Frame(bad)));
        }
        if bad.is_none() {
            sum = checksum(sum, &frame[..8], big_endian);
            sum = checksum(sum, &frame[FRAME_HEADER_BYTES..], big_endian);
            if sum != [word(&frame, 16), word(&frame, 20)] {
                bad = Some(number);
            }
        }
        let is_commit = word(&frame, 4) != 0;
        is_committed = bad.is_some() && is_commit;
        // A mark is believed while all is sound; later, a lower page says so too.
        page_before = if bad.is_none() && is_commit { 0 } else { page };
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

/// `SQLite`'s running checksum over pairs of words.
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

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::*;

    const FRAME_BYTES: usize = FRAME_HEADER_BYTES + PAGE_BYTES;

    /// A WAL of several transactions, and where the last of them begins.
    fn wal_of_some_transactions() -> (Vec<u8>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection
            .execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY, b); CREATE INDEX i ON t (b)")
            .unwrap();
        let mut last_begins = 0;
        for n in 0..8 {
            last_begins = fs::metadata(beside(&path, "-wal")).unwrap().len();
            connection.execute("INSERT INTO t VALUES (?1, ?1)", [n]).unwrap();
        }
        (fs::read(beside(&path, "-wal")).unwrap(), usize::try_from(last_begins).unwrap())
    }

    fn seen(wal: &[u8]) -> Option<Damage> {
        damage_before_synced_data(wal).unwrap()
    }

    #[test]
    fn a_sound_wal_passes_and_so_does_an_empty_one() {
        let (wal, _) = wal_of_some_transactions();
        assert_eq!(seen(&wal), None);
        assert_eq!(seen(&[]), None);
        assert_eq!(seen(&wal[..HEADER_BYTES]), None);
    }

    #[test]
    fn a_wal_that_is_cut_off_anywhere_passes() {
        let (wal, last_begins) = wal_of_some_transactions();
        for length in (last_begins..wal.len()).step_by(101) {
            assert_eq!(seen(&wal[..length]), None, "cut to {length}");
        }
    }

    #[test]
    fn a_last_transaction_of_which_any_frame_is_missing_passes() {
        let (wal, last_begins) = wal_of_some_transactions();
        for begin in (last_begins..wal.len()).step_by(FRAME_BYTES) {
            let mut torn = wal.clone();
            torn[begin..begin + FRAME_BYTES].fill(0);
            assert_eq!(seen(&torn), None, "the frame at {begin} is missing");
        }
    }

    #[test]
    fn a_flipped_byte_before_the_last_transaction_is_damage_in_its_frame() {
        let (wal, last_begins) = wal_of_some_transactions();
        // Every byte of the headers, and some of the pages.
        let places = (HEADER_BYTES..last_begins).filter(|at| {
            let in_frame = (at - HEADER_BYTES) % FRAME_BYTES;
            in_frame < FRAME_HEADER_BYTES || in_frame.is_multiple_of(509)
        });
        for at in places {
            let mut damaged = wal.clone();
            damaged[at] ^= 0xff;
            let frame = (at - HEADER_BYTES) / FRAME_BYTES + 1;
            assert_eq!(seen(&damaged), Some(Damage::Frame(frame as u64)), "byte {at} is flipped");
        }
    }

    #[test]
    fn a_commit_that_lost_its_mark_is_damage_all_the_same() {
        let (wal, last_begins) = wal_of_some_transactions();
        let mut damaged = wal.clone();
        let commit = last_begins - FRAME_BYTES;
        damaged[commit + 4..commit + 8].fill(0);
        let frame = (commit - HEADER_BYTES) / FRAME_BYTES + 1;
        assert_eq!(seen(&damaged), Some(Damage::Frame(frame as u64)));
    }

    #[test]
    fn a_flipped_byte_of_the_header_is_damage_while_there_are_frames() {
        let (wal, _) = wal_of_some_transactions();
        for at in 0..HEADER_BYTES {
            let mut damaged = wal.clone();
            damaged[at] ^= 1;
            assert_eq!(seen(&damaged), Some(Damage::Header), "byte {at} is flipped");
        }
        assert_eq!(seen(&vec![0; wal.len()]), None, "space that was never written");
    }
}
