//! Rows of process state: the JSON document of an instance.
//!
//! Invariant: a row holds everything that the log says about its instance. Counters of retries are not
//! stored.
//!
//! On failure: a row that can't be decoded is an error, and the runtime computes the instance from the log.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{CommandId, CorrelationId, EventId, Revision};
use crate::process::{Input, OutputId, Process, RecordedInput, RecordedOutputKind, Step};

use super::instance::{Instance, OpenOutput, WaitingInput};
use super::parse_step;

#[derive(Serialize, Deserialize)]
struct InstanceRow<S, E> {
    state: S,
    revision: Option<Revision>,
    correlation_id: CorrelationId,
    started_by: EventId,
    outputs: Vec<OpenOutputRow>,
    waiting: Vec<WaitingInputRow<E>>,
    ended: bool,
}

#[derive(Serialize, Deserialize)]
struct OpenOutputRow {
    output: OutputId,
    kind: RecordedOutputKind,
    step: String,
    number: Option<u32>,
    command_id: CommandId,
    transition: EventId,
    at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct WaitingInputRow<E> {
    taken: RecordedInput,
    event: Option<E>,
    step: Option<String>,
    number: Option<u32>,
    cause: Option<EventId>,
}

/// Returns the row of an instance.
pub(super) fn write<P: Process>(instance: &Instance<P>) -> Vec<u8> {
    let outputs = instance.outputs.iter().map(|(output, pending)| OpenOutputRow {
        output: *output,
        kind: pending.kind,
        step: pending.step.name().to_owned(),
        number: pending.step.number(),
        command_id: pending.command_id,
        transition: pending.transition,
        at: pending.at,
    });
    let waiting = instance.waiting.iter().map(|waiting| {
        let (event, step) = match &waiting.input {
            Input::Event(event) => (Some(event.clone()), None),
            Input::Done(step) | Input::Unchanged(step) | Input::Fired(step) | Input::Refused { step, .. } => {
                (None, Some(step))
            }
        };
        WaitingInputRow {
            taken: waiting.recorded.clone(),
            event,
            step: step.map(|step| step.name().to_owned()),
            number: step.and_then(Step::number),
            cause: waiting.cause,
        }
    });
    let row = InstanceRow {
        state: instance.state.clone(),
        revision: instance.revision,
        correlation_id: instance.correlation_id.clone(),
        started_by: instance.started_by,
        outputs: outputs.collect(),
        waiting: waiting.collect(),
        ended: instance.ended,
    };
    serde_json::to_vec(&row).expect("process states have string keys and no failing serializers")
}

/// Returns the instance of a row. Its outputs without an answer are sent again, which is harmless because
/// their ids are the same.
pub(super) fn read<P: Process>(document: &[u8]) -> Result<Instance<P>, String> {
    let row: InstanceRow<P::State, P::Event> =
        serde_json::from_slice(document).map_err(|error| error.to_string())?;
    let mut instance = Instance {
        state: row.state,
        revision: row.revision,
        correlation_id: row.correlation_id,
        started_by: row.started_by,
        outputs: std::collections::BTreeMap::new(),
        waiting: Vec::new(),
        ended: row.ended,
        deciding: false,
        failed_appends: 0,
        conflicts: 0,
        conflicted_at: None,
    };
    for output in row.outputs {
        let pending = OpenOutput {
            kind: output.kind,
            step: parse_step(&output.step, output.number)?,
            command_id: output.command_id,
            transition: output.transition,
            at: output.at,
            sent: false,
            given_up: false,
            losses: 0,
        };
        instance.outputs.insert(output.output, pending);
    }
    for waiting in row.waiting {
        let input = match (waiting.event, waiting.step) {
            (Some(event), _) => Input::Event(event),
            (None, Some(step)) => {
                super::instance::result_input(&waiting.taken, parse_step(&step, waiting.number)?)
            }
            (None, None) => return Err("a waiting input has neither an event nor a step".to_owned()),
        };
        instance.waiting.push(WaitingInput { recorded: waiting.taken, input, cause: waiting.cause });
    }
    Ok(instance)
}
