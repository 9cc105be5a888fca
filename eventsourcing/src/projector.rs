//! Projectors: what becomes of the rows of a read model when an event happens. Pure, like deciders.
//!
//! A projector names the keys an event touches and says what becomes of each row. It has no SQL, so it
//! runs the same on every engine and in the simulation, and its entity is its key. A row is a small
//! document plus the columns that queries filter and sort by; it holds only what its own streams say,
//! and what another stream says is joined when queried.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::envelope::RecordedEvent;
use crate::id::Position;
use crate::parking::{Entity, Parked, ParkingChange};
use crate::payload::DecodeError;

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// 64-bit integer; also booleans (0, 1) and instants (microseconds since 1970).
    Integer,
}

/// A column that queries filter or sort by. Every column may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in SQL.
    pub name: &'static str,
    /// Its type.
    pub column_type: ColumnType,
}

/// The value of a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// No value.
    Null,
    /// Of a text column.
    Text(String),
    /// Of an integer column.
    Integer(i64),
}

/// A table of sums over the rows of a model: each row contributes to some keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Its table (with the model's version) and view.
    pub name: &'static str,
    /// The summed columns; a `contributors` column is always there besides.
    pub columns: &'static [&'static str],
}

/// The shape of a read model: a table named `name_vVERSION`, and a view `name` that queries use.
///
/// Every table has `key` (text, primary key) and `doc` (JSON) besides its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// In plural, as in `orders`.
    pub name: &'static str,
    /// Raised by any change of keys, rows, columns or contributions.
    pub version: u32,
    /// What queries filter and sort by.
    pub columns: &'static [Column],
    /// Each an index, as a list of columns: `&["customer_id, placed_at DESC, key"]`.
    pub indexes: &'static [&'static str],
    /// Sums over the rows.
    pub sums: &'static [Sum],
}

/// What a row adds to one key of a sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// The sum's name.
    pub sum: &'static str,
    /// Its key.
    pub key: String,
    /// One delta for each column of the sum.
    pub deltas: Vec<i64>,
}

/// A read model's rules.
pub trait Projector: Send + Sync + 'static {
    /// The shape.
    const MODEL: Model;
    /// What it reads of the events it takes; decoded once an event, however many keys that touches.
    type Event: Send + Sync;
    /// A row's document.
    type Row: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync;

    /// The types of the events it takes.
    fn takes() -> Vec<&'static str>;
    /// Decodes an event of such a type; `None` when it turns out to be of no interest.
    fn read(event: &RecordedEvent) -> Result<Option<Self::Event>, DecodeError>;
    /// The keys of the rows that the event touches.
    fn keys(event: &Self::Event, recorded: &RecordedEvent) -> Vec<String>;
    /// What becomes of a row: `None` in, it was not there; `None` out, it goes.
    fn project(
        key: &str,
        row: Option<Self::Row>,
        event: &Self::Event,
        recorded: &RecordedEvent,
    ) -> Option<Self::Row>;
    /// The columns' values, in the order of [`Model::columns`].
    fn columns(key: &str, row: &Self::Row) -> Vec<Value>;
    /// What the row adds to the model's sums.
    fn contributions(_key: &str, _row: &Self::Row) -> Vec<Contribution> {
        Vec::new()
    }
}

/// What becomes of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// The row.
    pub key: String,
    /// Its document (JSON) and columns; `None` removes it.
    pub content: Option<(Vec<u8>, Vec<Value>)>,
}

/// What is added to one key of a sum; a key without contributors goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SumChange {
    /// The sum's name.
    pub sum: &'static str,
    /// Its key.
    pub key: String,
    /// How many contributors more or fewer.
    pub contributors: i64,
    /// One delta for each column.
    pub deltas: Vec<i64>,
}

/// One set of tables of a model. A database numbers them; at any time one of them is live, and others
/// may be made beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// The model.
    pub model: &'static Model,
    /// Tells it from other builds, of whatever model.
    pub number: u32,
}

/// What a build is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To take the live one's place.
    Next,
    /// To stay as the model was at a position.
    Until(Position),
}

/// A build as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBuild {
    /// The build.
    pub build: Build,
    /// Whether queries see it.
    pub is_live: bool,
    /// How far it is.
    pub checkpoint: Position,
    /// What is parked in it.
    pub parked: Vec<Parked>,
}

/// What a batch of events does to one model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelChange {
    /// The tables.
    pub build: Build,
    /// Each row at most once.
    pub rows: Vec<RowChange>,
    /// Each key of a sum at most once.
    pub sums: Vec<SumChange>,
    /// Who is parked or released, and what waits.
    pub parking: ParkingChange,
    /// How far the model was before this change: elsewhere it is not applied.
    pub from: Position,
    /// How far the model is after this change.
    pub checkpoint: Position,
}

/// Why a read model's database did not do what was asked. Nothing half-done stays.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadModelError {
    /// Somebody else writes, for longer than one waits; it may be tried again.
    #[error("the read models' database is busy: {0}")]
    Busy(String),
    /// Anything else.
    #[error("the read models' database failed: {0}")]
    Failed(String),
}

/// The port to a database of read models. One writer; queries go past this port.
#[async_trait]
pub trait ReadModelStore: Send + Sync + 'static {
    /// The build of each model that has its version: the live one, or one that is to take its place when
    /// the live one is of another version. A model without any gets a live one; builds of other models go.
    async fn open(&self, models: &[&'static Model]) -> Result<Vec<OpenBuild>, ReadModelError>;
    /// A build beside the live one: the one that was begun for this purpose, or a new one. `now` is when
    /// it was last asked for.
    async fn begin(
        &self,
        model: &'static Model,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<OpenBuild, ReadModelError>;
    /// The build that is to take the live one's place, when one was begun for the model's version.
    async fn next(&self, model: &'static Model) -> Result<Option<OpenBuild>, ReadModelError>;
    /// The documents of those rows that are there, in no order.
    async fn load(&self, build: Build, keys: Vec<String>) -> Result<Vec<(String, Vec<u8>)>, ReadModelError>;
    /// Writes all changes with their checkpoints in one transaction.
    async fn commit(&self, changes: Vec<ModelChange>) -> Result<(), ReadModelError>;
    /// Makes builds the live ones, all at once. Those they replace are to be removed.
    async fn switch(&self, builds: Vec<Build>) -> Result<(), ReadModelError>;
    /// Gives a build up: it is to be removed.
    async fn abandon(&self, build: Build) -> Result<(), ReadModelError>;
    /// Gives up the builds as of a position that nobody has asked for since then; tells how many.
    async fn expire(&self, before: Timestamp) -> Result<u32, ReadModelError>;
    /// Removes up to `rows` rows of what is to be removed, or a table that has none left; tells whether
    /// there is more.
    async fn tidy(&self, rows: u32) -> Result<bool, ReadModelError>;
    /// The events that wait for a parked entity, in order.
    async fn waiting(&self, build: Build, entity: Entity) -> Result<Vec<Position>, ReadModelError>;
}
