//! Projectors: rules that compute the rows of a read model from events. Pure functions, like deciders.
//!
//! A projector names the keys of the rows that an event changes, and computes each new row. It contains no
//! SQL, so it runs unchanged on every database and in the simulation. A row is a small JSON document, plus
//! the columns that queries filter and sort by.
//!
//! Invariants: a row is computed from the events of its own streams only. Data of other streams is joined
//! by the query. Each change is written in one transaction with its checkpoint.
//!
//! On failure: if a projector panics on an event, the runtime parks one row ([`crate::parking`]). A failed
//! write leaves the database unchanged, and the same events are applied again.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::envelope::RecordedEvent;
use crate::id::Position;
use crate::parking::{Entity, Parked, ParkingChange};
use crate::payload::DecodeError;

/// SQL type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// 64-bit integer. Booleans are stored as 0 or 1, and instants as microseconds since 1970.
    Integer,
}

/// Column that queries filter or sort by. Every column may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Name of the column in SQL.
    pub name: &'static str,
    /// SQL type of the column.
    pub column_type: ColumnType,
}

/// Value of a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// SQL null, allowed in every column.
    Null,
    /// Value of a text column.
    Text(String),
    /// Value of an integer column.
    Integer(i64),
}

/// Table of sums over the rows of a model. Each row contributes to any number of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Name of the view. The name of a build's table also has the model's version and the build's number.
    pub name: &'static str,
    /// Summed columns. Every sum also has a column `contributors`, the number of contributing rows.
    pub columns: &'static [&'static str],
}

/// Shape of a read model: a table named `name_vVERSION_BUILD` in each build, and a view `name` that queries
/// use.
///
/// In addition to its columns, every table has `key` (text, primary key) and `doc` (JSON).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// Name, a plural such as `orders`.
    pub name: &'static str,
    /// Version. Any change of keys, rows, columns or contributions needs a higher version.
    pub version: u32,
    /// Columns that queries filter and sort by.
    pub columns: &'static [Column],
    /// Indexes, each as a list of columns: `&["customer_id, placed_at DESC, key"]`.
    pub indexes: &'static [&'static str],
    /// Tables of sums over the rows.
    pub sums: &'static [Sum],
}

/// Contribution of a row to one key of a sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// Name of the sum.
    pub sum: &'static str,
    /// Key in the table of sums.
    pub key: String,
    /// Value to add to each column of the sum, in the order of [`Sum::columns`].
    pub deltas: Vec<i64>,
}

/// Rules of a read model.
pub trait Projector: Send + Sync + 'static {
    /// Shape of the read model.
    const MODEL: Model;
    /// The part of an event that the projector needs. It is decoded once per event, even if the event changes
    /// several rows.
    type Event: Send + Sync;
    /// JSON document of a row.
    type Row: Clone + PartialEq + Serialize + DeserializeOwned + Send + Sync;

    /// Returns the types of the events that the projector reads.
    fn event_types() -> Vec<&'static str>;
    /// Decodes an event of one of these types; `None` if the event does not concern the model.
    fn read(event: &RecordedEvent) -> Result<Option<Self::Event>, DecodeError>;
    /// Returns the keys of the rows that the event may change.
    fn keys(event: &Self::Event, recorded: &RecordedEvent) -> Vec<String>;
    /// Returns the row after the event. `row` is `None` if the row does not exist. If the result is `None`,
    /// the row is removed.
    fn project(
        key: &str,
        row: Option<Self::Row>,
        event: &Self::Event,
        recorded: &RecordedEvent,
    ) -> Option<Self::Row>;
    /// Returns the values of the row's columns, in the order of [`Model::columns`].
    fn columns(key: &str, row: &Self::Row) -> Vec<Value>;
    /// Returns the contributions of the row to the model's sums.
    fn contributions(_key: &str, _row: &Self::Row) -> Vec<Contribution> {
        Vec::new()
    }
}

/// Change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// Key of the row.
    pub key: String,
    /// New document (JSON) and columns of the row; `None` removes the row.
    pub content: Option<(Vec<u8>, Vec<Value>)>,
}

/// Change of one key of a sum. A key that has no contributors after the change is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SumChange {
    /// Name of the sum.
    pub sum: &'static str,
    /// Key in the table of sums.
    pub key: String,
    /// Value to add to the number of contributing rows; may be negative.
    pub contributors: i64,
    /// Value to add to each column, in the order of [`Sum::columns`].
    pub deltas: Vec<i64>,
}

/// Numbered set of tables of a model. One build of each model is live, which means that queries read it.
/// Other builds may exist beside the live one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Build {
    /// Model whose rows the tables hold.
    pub model: &'static Model,
    /// Number of the build, unique among all builds of the database.
    pub number: u32,
}

/// Purpose of a build that is not live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The build will replace the live one.
    Next,
    /// The build holds the rows as they were at this position.
    Until(Position),
}

/// Stored state of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenBuild {
    /// Model and number of the build.
    pub build: Build,
    /// True if queries read this build.
    pub is_live: bool,
    /// Position up to which the log has been applied to the build.
    pub checkpoint: Position,
    /// Entities that are parked in the build.
    pub parked: Vec<Parked>,
}

/// Change that a batch of events makes to one build of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelChange {
    /// Build that changes.
    pub build: Build,
    /// Changed rows; each row appears at most once.
    pub rows: Vec<RowChange>,
    /// Changed sums; each key of a sum appears at most once.
    pub sums: Vec<SumChange>,
    /// Changes of parked entities and waiting events.
    pub parking: ParkingChange,
    /// Checkpoint before the change. The database rejects the change if the build has another checkpoint.
    pub from: Position,
    /// Checkpoint after the change.
    pub checkpoint: Position,
}

/// Error of the database of read models. A failed operation leaves the database unchanged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadModelError {
    /// Another writer has locked the database for longer than the timeout; the operation may be retried.
    #[error("the read models' database is busy: {0}")]
    Busy(String),
    /// Any other error; the text is the database's message.
    #[error("the read models' database failed: {0}")]
    Failed(String),
}

/// Port to the database of read models, for the programs that write it: the shop and a rebuild. Queries do
/// not use this port.
#[async_trait]
pub trait ReadModelStore: Send + Sync + 'static {
    /// Opens one build of each model, in the version that `models` names. If the live build has another
    /// version, this is the build that will replace it. A missing build is created; it is live at once if the
    /// model has no live build. Marks the builds of models that are not in the list for removal.
    async fn open(&self, models: &[&'static Model]) -> Result<Vec<OpenBuild>, ReadModelError>;
    /// Opens the build for this purpose beside the live one, and creates it if it does not exist. `now` is
    /// stored as the time of the last request for the build, which [`ReadModelStore::expire`] uses.
    async fn begin(
        &self,
        model: &'static Model,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<OpenBuild, ReadModelError>;
    /// Returns the build that will replace the live one, if one was begun for the model's version.
    async fn next(&self, model: &'static Model) -> Result<Option<OpenBuild>, ReadModelError>;
    /// Returns the keys and documents of the rows with these keys, in any order. Rows that do not exist are
    /// left out.
    async fn load(&self, build: Build, keys: Vec<String>) -> Result<Vec<(String, Vec<u8>)>, ReadModelError>;
    /// Writes all changes with their checkpoints in one transaction.
    async fn commit(&self, changes: Vec<ModelChange>) -> Result<(), ReadModelError>;
    /// Makes these builds live, all in one transaction, and marks the replaced builds for removal.
    async fn switch(&self, builds: Vec<Build>) -> Result<(), ReadModelError>;
    /// Marks a build for removal.
    async fn abandon(&self, build: Build) -> Result<(), ReadModelError>;
    /// Marks for removal all builds with purpose [`Purpose::Until`] whose last request was before `before`.
    /// Returns their number.
    async fn expire(&self, before: Timestamp) -> Result<u32, ReadModelError>;
    /// Does one step of removing marked builds: deletes up to `rows` rows, or drops an empty table. Returns
    /// true if more steps are needed.
    async fn tidy(&self, rows: u32) -> Result<bool, ReadModelError>;
    /// Returns the positions of the events that wait for a parked entity, in order.
    async fn waiting(&self, build: Build, entity: Entity) -> Result<Vec<Position>, ReadModelError>;
}
