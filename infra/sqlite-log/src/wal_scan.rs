//! A scan of the write-ahead log (WAL) for damage, before `SQLite` opens it.
//!
//! `SQLite` reads a WAL up to the first invalid frame and drops all frames after it. This is right for a torn
//! last transaction, which was never acknowledged. But after damage to an earlier frame or to the header,
//! `SQLite` would silently drop synced transactions. The writer begins a transaction only when the
//! transaction before it is on disk. So if a frame after the first invalid one has the salts of this WAL and
//! belongs to a later transaction, acknowledged events would be lost. Such a log is refused.
//!
//! The last frame of a transaction has a commit mark. The mark itself may be damaged, so a new transaction is
//! also recognized by its pages: within one transaction, page numbers increase.
//!
//! Format: <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use crate::OpenError;
use crate::open::{PAGE_BYTES, with_suffix};

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
/// First word of the header. If its last bit is set, the checksums use big-endian words.
const MAGIC: u32 = 0x377f_0682;
/// Limit of scans of a WAL that another process may be writing. Damage counts only if two scans in a row find
/// it.
const SCANS_MAX: usize = 4;

/// Place of the damage in a WAL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    Header,
    /// Number of the frame; the first frame is 1.
    Frame(u64),
}

/// Returns an error if the WAL of a log is damaged before synced transactions.
pub(crate) fn check(log: &Path) -> Result<(), OpenError> {
    let wal = with_suffix(log, "-wal");
    let mut previous = None;
    for _ in 0..SCANS_MAX {
        let found = scan(&wal)
            .map_err(|error| OpenError::Unusable { path: wal.clone(), reason: error.to_string() })?;
        let Some(damage) = found else { return Ok(()) };
        if previous == found {
            let place = match damage {
                Damage::Header => "the header".to_owned(),
                Damage::Frame(number) => format!("frame {number}"),
            };
            let what =
                format!("{place} of its write-ahead log is invalid, and synced transactions follow it");
            return Err(OpenError::Damaged { path: log.to_owned(), position: None, what });
        }
        previous = found;
    }
    // The WAL changes between the scans: another process is writing it, so it was valid when that process
    // opened it.
    Ok(())
}

fn scan(wal: &Path) -> std::io::Result<Option<Damage>> {
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
        // The header is synced before the first frame is written, so a bad header without frames is not
        // damage.
        let has_frames = fill(&mut wal, &mut frame)? && frame.iter().any(|byte| *byte != 0);
        return Ok(has_frames.then_some(Damage::Header));
    }
    let salts = &header[16..24];
    let mut number = 0;
    let mut bad = None;
    let mut page_before = 0;
    let mut is_committed = false;
    while fill(&mut wal, &mut frame)? {
        number += 1;
        if &frame[8..16] != salts {
            // A frame from before the last reset of the WAL, or a frame with damaged salts.
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
        // Before the first invalid frame, a commit mark is reliable. After it, a lower page number shows a
        // new transaction.
        page_before = if bad.is_none() && is_commit { 0 } else { page };
    }
    Ok(None)
}

/// Fills the whole buffer. Returns false at the end of the file.
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

/// Continues the checksum that `SQLite` computes over pairs of words.
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

    /// Returns a WAL of several transactions, and the offset of the last one.
    fn wal_of_some_transactions() -> (Vec<u8>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "journal_mode", "WAL").unwrap();
        connection
            .execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY, b); CREATE INDEX i ON t (b)")
            .unwrap();
        let mut last_offset = 0;
        for n in 0..8 {
            last_offset = fs::metadata(with_suffix(&path, "-wal")).unwrap().len();
            connection.execute("INSERT INTO t VALUES (?1, ?1)", [n]).unwrap();
        }
        (fs::read(with_suffix(&path, "-wal")).unwrap(), usize::try_from(last_offset).unwrap())
    }

    fn damage(wal: &[u8]) -> Option<Damage> {
        damage_before_synced_data(wal).unwrap()
    }

    #[test]
    fn a_valid_wal_and_an_empty_one_pass() {
        let (wal, _) = wal_of_some_transactions();
        assert_eq!(damage(&wal), None);
        assert_eq!(damage(&[]), None);
        assert_eq!(damage(&wal[..HEADER_BYTES]), None);
    }

    #[test]
    fn a_wal_that_is_truncated_in_its_last_transaction_passes() {
        let (wal, last_offset) = wal_of_some_transactions();
        for length in (last_offset..wal.len()).step_by(101) {
            assert_eq!(damage(&wal[..length]), None, "cut to {length}");
        }
    }

    #[test]
    fn a_last_transaction_with_a_missing_frame_passes() {
        let (wal, last_offset) = wal_of_some_transactions();
        for begin in (last_offset..wal.len()).step_by(FRAME_BYTES) {
            let mut torn = wal.clone();
            torn[begin..begin + FRAME_BYTES].fill(0);
            assert_eq!(damage(&torn), None, "the frame at {begin} is missing");
        }
    }

    #[test]
    fn a_flipped_byte_before_the_last_transaction_is_damage() {
        let (wal, last_offset) = wal_of_some_transactions();
        // Every byte of the headers, and some of the pages.
        let places = (HEADER_BYTES..last_offset).filter(|at| {
            let in_frame = (at - HEADER_BYTES) % FRAME_BYTES;
            in_frame < FRAME_HEADER_BYTES || in_frame.is_multiple_of(509)
        });
        for at in places {
            let mut damaged = wal.clone();
            damaged[at] ^= 0xff;
            let frame = (at - HEADER_BYTES) / FRAME_BYTES + 1;
            assert_eq!(damage(&damaged), Some(Damage::Frame(frame as u64)), "byte {at} is flipped");
        }
    }

    #[test]
    fn a_commit_without_its_mark_is_damage() {
        let (wal, last_offset) = wal_of_some_transactions();
        let mut damaged = wal.clone();
        let commit = last_offset - FRAME_BYTES;
        damaged[commit + 4..commit + 8].fill(0);
        let frame = (commit - HEADER_BYTES) / FRAME_BYTES + 1;
        assert_eq!(damage(&damaged), Some(Damage::Frame(frame as u64)));
    }

    #[test]
    fn a_flipped_byte_in_the_header_is_damage_if_there_are_frames() {
        let (wal, _) = wal_of_some_transactions();
        for at in 0..HEADER_BYTES {
            let mut damaged = wal.clone();
            damaged[at] ^= 1;
            assert_eq!(damage(&damaged), Some(Damage::Header), "byte {at} is flipped");
        }
        assert_eq!(damage(&vec![0; wal.len()]), None, "a WAL of zeros was never written");
    }
}
