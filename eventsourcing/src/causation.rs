//! The tree of events that one request caused.
//!
//! The children of an event are the events that it caused: events of a process that reacted to it, and
//! events of the commands that this process sent.
//!
//! Invariant: every event of the list appears in the tree once. On failure: a transition that can't be
//! decoded appears as an event without outputs.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::envelope::RecordedEvent;
use crate::id::EventId;
use crate::process::{
    OutputId, RecordedInput, RecordedInputKind, RecordedOutput, RecordedOutputKind, Transition,
};

/// Event of the tree, with the events that it caused.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Event with its place in the log.
    pub event: RecordedEvent,
    /// Outputs of the event if it is a transition of a process; empty for other events.
    pub outputs: Vec<OutputStatus>,
    /// Events that this event caused, in order of position.
    pub children: Vec<Node>,
}

/// Output of a process, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputStatus {
    /// Kind of the output: `command`, `effect` or `timer`.
    pub kind: RecordedOutputKind,
    /// Name of the requested step, as in `reserve`.
    pub step: String,
    /// Number of the order line or attempt that the step concerns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// Time at which a timer fires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Kind of the answer; `None` while the output has no answer. Always `None` for an effect, whose answer
    /// is an event of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<RecordedInputKind>,
    /// Code of a rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Returns the tree of `events`, which share a correlation id and are in order of position. The roots are
/// the events whose cause is not in the list: the events of the request itself, or, if the list does not
/// contain the request's first events, the events that those caused.
pub fn tree(events: Vec<RecordedEvent>) -> Vec<Node> {
    let index_by_id: HashMap<EventId, usize> =
        events.iter().enumerate().map(|(place, event)| (event.event.id, place)).collect();
    let answers = answers(&events);
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); events.len()];
    let mut roots = Vec::new();
    for (place, event) in events.iter().enumerate() {
        // A cause precedes its result in the log. The check prevents cycles in damaged data.
        let cause = event.event.causation_id.and_then(|cause| index_by_id.get(&cause));
        match cause.filter(|cause| **cause < place) {
            Some(cause) => children[*cause].push(place),
            None => roots.push(place),
        }
    }
    let mut nodes: Vec<Option<Node>> = events
        .into_iter()
        .map(|event| Some(Node { outputs: output_statuses(&event, &answers), event, children: Vec::new() }))
        .collect();
    // Going backwards completes the children of an event before the event itself.
    for place in (0..nodes.len()).rev() {
        let completed = children[place].iter().filter_map(|child| nodes[*child].take()).collect();
        if let Some(node) = &mut nodes[place] {
            node.children = completed;
        }
    }
    roots.into_iter().filter_map(|root| nodes[root].take()).collect()
}

type Answers = HashMap<(String, OutputId), (RecordedInputKind, Option<String>)>;

/// Returns the answers in these events, by stream and output id.
fn answers(events: &[RecordedEvent]) -> Answers {
    let mut answers = HashMap::new();
    for event in events {
        let Some(transition) = transition(event) else { continue };
        for RecordedInput { kind, output, code, .. } in transition.taken {
            if let Some(output) = output {
                answers.insert((event.stream.to_string(), output), (kind, code));
            }
        }
    }
    answers
}

fn transition(event: &RecordedEvent) -> Option<Transition<Value>> {
    if !event.event_type().ends_with(".transitioned") {
        return None;
    }
    serde_json::from_slice(&event.event.data).ok()
}

fn output_statuses(event: &RecordedEvent, answers: &Answers) -> Vec<OutputStatus> {
    let Some(transition) = transition(event) else { return Vec::new() };
    let status = |(ordinal, output): (u32, RecordedOutput)| {
        let id = OutputId { transition: event.revision.0, ordinal };
        let answer = answers.get(&(event.stream.to_string(), id)).cloned();
        let (answer, code) = answer.map_or((None, None), |(kind, code)| (Some(kind), code));
        let RecordedOutput { kind, step, number, at } = output;
        let answer = answer.filter(|_| kind != RecordedOutputKind::Effect);
        OutputStatus { kind, step, number, at, answer, code }
    };
    (0..).zip(transition.outputs).map(status).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::envelope::{Actor, Origin};
    use crate::id::{CorrelationId, Position, Revision, StreamName};
    use crate::testkit::noon;

    fn event(position: u64, cause: Option<&RecordedEvent>) -> RecordedEvent {
        let stream = StreamName::new("thing", "a");
        let id = Uuid::from_u128(u128::from(position));
        let origin = Origin::new(id, Actor::new("test", "x"), CorrelationId::from(Uuid::nil()));
        let mut event = origin.raw_envelope(&stream, 0, "thing.done", 1, b"{}".as_slice().into(), noon());
        event.causation_id = cause.map(|cause| cause.event.id);
        RecordedEvent { position: Position(position), stream, revision: Revision(position - 1), event }
    }

    // Proves: platform.causation-tree
    #[test]
    fn events_are_children_of_their_cause() {
        let first = event(1, None);
        let second = event(2, Some(&first));
        let third = event(3, Some(&second));
        let fourth = event(4, Some(&first));
        let unlisted = event(9, None);
        let fifth = event(5, Some(&unlisted));
        let roots = tree(vec![first, second, third, fourth, fifth]);
        let shape = |node: &Node| {
            let positions =
                |nodes: &[Node]| nodes.iter().map(|node| node.event.position.0).collect::<Vec<_>>();
            (node.event.position.0, positions(&node.children))
        };
        assert_eq!(roots.iter().map(shape).collect::<Vec<_>>(), [(1, vec![2, 4]), (5, vec![])]);
        assert_eq!(shape(&roots[0].children[0]), (2, vec![3]));
    }

    #[test]
    fn an_event_that_names_itself_as_its_cause_is_a_root() {
        let mut first = event(1, None);
        first.event.causation_id = Some(first.event.id);
        assert_eq!(tree(vec![first]).len(), 1);
    }
}
