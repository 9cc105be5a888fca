//! One file: what of it is on the platter, and what was written since and may yet be lost.

use fastrand::Rng;

/// What a disk writes as one: a write that the power interrupts is whole up to the edge of one.
const SECTOR_BYTES: usize = 512;

/// The content of a file; zeros at its end are not kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    bytes: Vec<u8>,
    length: usize,
}

impl Image {
    pub(crate) fn new(mut bytes: Vec<u8>) -> Self {
        let length = bytes.len();
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(used);
        Self { bytes, length }
    }

    /// Its bytes without the zeros at its end, and its length with them.
    pub(crate) fn content(&self) -> (&[u8], usize) {
        (&self.bytes, self.length)
    }

    fn write(&mut self, offset: usize, data: &[u8]) {
        let end = offset + data.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[offset..end].copy_from_slice(data);
        self.length = self.length.max(end);
    }

    fn resize(&mut self, length: usize) {
        self.bytes.truncate(length);
        self.length = length;
    }
}

/// A change that no sync has covered.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Resize(usize),
}

/// A file of the disk.
#[derive(Debug, Default)]
pub(crate) struct File {
    durable: Image,
    unsynced: Vec<Change>,
    /// The length that its programs see.
    length: usize,
    entry: Entry,
}

/// A file's name in its folder.
#[derive(Debug, Default)]
enum Entry {
    /// On the platter.
    #[default]
    Synced,
    /// Made since the folder was synced, in the place of what lay there before.
    New(Option<Image>),
}

impl File {
    /// One that was there.
    pub(crate) fn found(content: Vec<u8>) -> Self {
        let durable = Image::new(content);
        Self { length: durable.length, durable, ..Self::default() }
    }

    /// One that is made, in the place of what was deleted.
    pub(crate) fn created(before: Option<Image>) -> Self {
        Self { entry: Entry::New(before), ..Self::default() }
    }

    /// Somebody who goes past the disk has made the file longer, by zeros that are synced.
    pub(crate) fn was_extended(&mut self, length: usize) {
        if length > self.length {
            self.length = length;
            self.durable.length = self.durable.length.max(length);
        }
    }

    pub(crate) fn write(&mut self, offset: usize, data: &[u8]) {
        self.length = self.length.max(offset + data.len());
        self.unsynced.push(Change::Write { offset, data: data.to_vec() });
    }

    pub(crate) fn resize(&mut self, length: usize) {
        self.length = length;
        self.unsynced.push(Change::Resize(length));
    }

    pub(crate) fn sync(&mut self) {
        for change in std::mem::take(&mut self.unsynced) {
            apply(&mut self.durable, &change);
        }
    }

    /// Whether the folder has not been synced since it was made.
    pub(crate) fn is_new(&self) -> bool {
        matches!(self.entry, Entry::New(_))
    }

    pub(crate) fn sync_entry(&mut self) {
        self.entry = Entry::Synced;
    }

    /// A sync that fails takes some of the changes to the platter and forgets the others for good: the
    /// system holds their pages for clean, so that a later sync has nothing to do and says it succeeded.
    pub(crate) fn fail_to_sync(&mut self, rng: &mut Rng) {
        self.durable = self.content_left(rng);
        self.unsynced.clear();
    }

    /// What is there under its name after the power went.
    pub(crate) fn survivor(&self, rng: &mut Rng) -> Option<Image> {
        match &self.entry {
            Entry::New(before) if rng.bool() => before.clone(),
            _ => Some(self.content_left(rng)),
        }
    }

    /// Its content then: each change that was not synced is there, or not, or in part.
    fn content_left(&self, rng: &mut Rng) -> Image {
        let mut image = self.durable.clone();
        for change in &self.unsynced {
            match change {
                Change::Write { offset, data } if rng.u8(..4) == 0 => {
                    tear(&mut image, *offset, data, rng);
                }
                change if rng.bool() => apply(&mut image, change),
                _ => {}
            }
        }
        image
    }
}

fn apply(image: &mut Image, change: &Change) {
    match change {
        Change::Write { offset, data } => image.write(*offset, data),
        Change::Resize(length) => image.resize(*length),
    }
}

/// Writes some sectors of a write.
fn tear(image: &mut Image, offset: usize, data: &[u8], rng: &mut Rng) {
    let mut at = 0;
    while at < data.len() {
        let in_sector = SECTOR_BYTES - (offset + at) % SECTOR_BYTES;
        let end = data.len().min(at + in_sector);
        if rng.bool() {
            image.write(offset + at, &data[at..end]);
        }
        at = end;
    }
}
