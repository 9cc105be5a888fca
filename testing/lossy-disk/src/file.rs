//! File on the simulated disk: its durable content, and the changes since the last sync, which may be lost.

use fastrand::Rng;

/// Bytes of a sector. A power cut during a write leaves each sector either old or new.
const SECTOR_BYTES: usize = 512;

/// Content of a file. Zeros at the end are not stored; `length` counts them.
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

    /// Returns the bytes without the zeros at the end, and the length with these zeros.
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

/// Change of a file that was not synced yet.
#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, data: Vec<u8> },
    Resize(usize),
}

/// File with its durable content and its unsynced changes.
#[derive(Debug, Default)]
pub(crate) struct File {
    durable: Image,
    unsynced: Vec<Change>,
    /// Length in bytes that programs see.
    length: usize,
    entry: Entry,
}

/// Directory entry of a file.
#[derive(Debug, Default)]
enum Entry {
    /// The entry is durable.
    #[default]
    Synced,
    /// The file was created after the last sync of the folder, and replaces the deleted file with this
    /// content, if any.
    New(Option<Image>),
}

impl File {
    /// Returns a file that existed before the disk was mounted.
    pub(crate) fn existing(content: Vec<u8>) -> Self {
        let durable = Image::new(content);
        Self { length: durable.length, durable, ..Self::default() }
    }

    /// Returns a new file that replaces a deleted file with the content `before`, if any.
    pub(crate) fn created(before: Option<Image>) -> Self {
        Self { entry: Entry::New(before), ..Self::default() }
    }

    /// Records that a program extended the file with zeros without the VFS. These zeros count as synced.
    pub(crate) fn extend(&mut self, length: usize) {
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

    /// Returns true if the folder was not synced since the file was created.
    pub(crate) fn is_new(&self) -> bool {
        matches!(self.entry, Entry::New(_))
    }

    pub(crate) fn sync_entry(&mut self) {
        self.entry = Entry::Synced;
    }

    /// Fails a sync: some changes become durable, and the others are lost. A later sync does not write them,
    /// because the operating system has marked their pages as clean.
    pub(crate) fn fail_to_sync(&mut self, rng: &mut Rng) {
        self.durable = self.content_after_loss(rng);
        self.unsynced.clear();
    }

    /// Returns the content under the file's name after a power cut; none if the file does not exist then.
    pub(crate) fn survivor(&self, rng: &mut Rng) -> Option<Image> {
        match &self.entry {
            Entry::New(before) if rng.bool() => before.clone(),
            _ => Some(self.content_after_loss(rng)),
        }
    }

    /// Returns the durable content with a random selection of the unsynced changes, some of them only in
    /// part.
    fn content_after_loss(&self, rng: &mut Rng) -> Image {
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

/// Applies a random selection of the sectors of a write.
fn tear(image: &mut Image, offset: usize, data: &[u8], rng: &mut Rng) {
    let mut at = 0;
    while at < data.len() {
        let rest_of_sector = SECTOR_BYTES - (offset + at) % SECTOR_BYTES;
        let end = data.len().min(at + rest_of_sector);
        if rng.bool() {
            image.write(offset + at, &data[at..end]);
        }
        at = end;
    }
}
