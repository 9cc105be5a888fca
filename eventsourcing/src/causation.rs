//! What one request set off, as a tree: its commands' events, what reacted to each, and what came of that.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::envelope::RecordedEvent;
use crate::id::EventId;
use crate::process::{Decided, DecidedKind, OutputId, Taken, TakenKind, Transition};

/// An event and what it led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The event.
    pub event: RecordedEvent,
    /// What a process decided with it.
    pub outputs: Vec<Outcome>,
    /// The events that it led to, in order of position.
    pub children: Vec<Node>,
}

/// Something a process asked for, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// `command`, `effect` or `timer`.
    pub kind: DecidedKind,
    /// What was asked for, as in `reserve`.
    pub step: String,
    /// The number of the line or attempt it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// When a timer fires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// How it was answered; none while it is open, and for effects, whose answers are events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<TakenKind>,
    /// The code of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// The tree of events that share a correlation, in order of position. Roots are events that no other of
/// them caused: those of the request itself, unless the list begins in the middle.
pub fn tree(events: Vec<RecordedEvent>) -> Vec<Node> {
    let known: HashMap<EventId, usize> =
        events.iter().enumerate().map(|(place, event)| (event.event.id, place)).collect();
    let answers = answers(&events);
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); events.len()];
    let mut roots = Vec::new();
    for (place, event) in events.iter().enumerate() {
        // A cause comes before what it causes, so there is no way round in circles.
        match event.event.causation_id.and_then(|cause| known.get(&cause)).filter(|cause| **cause < place) {
            Some(cause) => children[*cause].push(place),
            None => roots.push(place),
        }
    }
    let mut nodes: Vec<Option<Node>> = events
        .into_iter()
        .map(|event| Some(Node { outputs: outcomes(&event, &answers), event, children: Vec::new() }))
        .collect();
    // From the back: what an event led to is whole before the event is.
    for place in (0..nodes.len()).rev() {
        let grown = children[place].iter().filter_map(|child| nodes[*child].take()).collect();
        if let Some(node) = &mut nodes[place] {
            node.children = grown;
        }
    }
    roots.into_iter().filter_map(|root| nodes[root].take()).collect()
}

type Answers = HashMap<(String, OutputId), (TakenKind, Option<String>)>;

/// How outputs were answered, by stream and output.
fn answers(events: &[RecordedEvent]) -> Answers {
    let mut answers = HashMap::new();
    for event in events {
        let Some(transition) = transition(event) else { continue };
        for Taken { kind, output, code, .. } in transition.taken {
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

fn outcomes(event: &RecordedEvent, answers: &Answers) -> Vec<Outcome> {
    let Some(transition) = transition(event) else { return Vec::new() };
    let outcome = |(ordinal, decided): (u32, Decided)| {
        let output = OutputId { transition: event.revision.0, ordinal };
        let answer = answers.get(&(event.stream.to_string(), output)).cloned();
        let (answer, code) = answer.map_or((None, None), |(kind, code)| (Some(kind), code));
        let Decided { kind, step, number, at } = decided;
        let answer = answer.filter(|_| kind != DecidedKind::Effect);
        Outcome { kind, step, number, at, answer, code }
    };
    (0..).zip(transition.outputs).map(outcome).collect()
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

    #[test]
    fn events_hang_on_what_caused_them() {
        let first = event(1, None);
        let second = event(2, Some(&first));
        let (third, fourth) = (event(3, Some(&second)), event(4, Some(&first)));
        let elsewhere = event(9, None);
        let stranger = event(5, Some(&elsewhere));
        let grown = tree(vec![first, second, third, fourth, stranger]);
        let shape = |node: &Node| {
            let positions =
                |nodes: &[Node]| nodes.iter().map(|node| node.event.position.0).collect::<Vec<_>>();
            (node.event.position.0, positions(&node.children))
        };
        assert_eq!(grown.iter().map(shape).collect::<Vec<_>>(), [(1, vec![2, 4]), (5, vec![])]);
        assert_eq!(shape(&grown[0].children[0]), (2, vec![3]));
    }

    #[test]
    fn an_event_that_names_itself_as_its_cause_is_a_root() {
        let mut first = event(1, None);
        first.event.causation_id = Some(first.event.id);
        assert_eq!(tree(vec![first]).len(), 1);
    }
}
