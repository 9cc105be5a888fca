//! The next actions of a process runtime: transitions to append, outputs to send, and retries of both.
//!
//! Invariants: an instance has at most one transition on its way to the log. An output is sent once per run
//! of the program, unless sending it fails.
//!
//! On failure: each retry waits longer than the one before ([`crate::retry`]). An instance is parked if its
//! rules panic, if its transition is too large, or if its transition conflicts more than [`CONFLICTS_MAX`]
//! times.

use jiff::Timestamp;

use crate::envelope::{Actor, NewEvent, Origin, ReplyTo};
use crate::id::{CommandId, Revision, StreamName, derive};
use crate::parking::{ApplyFailure, Parked, catch_panic};
use crate::payload::encode_json;
use crate::process::{OutputId, Process, RecordedOutputKind, Transition};
use crate::retry::{LONGEST_WAIT, wait_after};
use crate::store::{Append, AppendError, Expected};

use super::instance::Instance;
use super::{Action, Outgoing, ProcessRuntime, TRANSITION_VERSION};

/// Largest number of conflicts of one transition before its instance is parked. Only a conflict after the
/// process has read further in the log counts. A competing transition of another runtime is normally read
/// after one or two.
pub const CONFLICTS_MAX: u32 = 10;

impl<P: Process> ProcessRuntime<P> {
    /// Returns the actions that the driver must carry out now. Returns no action before
    /// [`ProcessRuntime::go_live`].
    pub fn step(&mut self, now: Timestamp) -> Vec<Action<P>> {
        let mut actions = Vec::new();
        if !self.live {
            return actions;
        }
        self.fire_due(now);
        self.start_due_retries(now);
        for id in std::mem::take(&mut self.touched) {
            if self.parking.entity_of_key(&id).is_some() {
                continue;
            }
            let Some(instance) = self.instances.get_mut(&id) else { continue };
            let sent = catch_panic(|| Self::send(&id, instance, &mut actions));
            let decision = match sent {
                Ok(()) => instance.decide(now),
                Err(reason) => Err((None, reason)),
            };
            match decision {
                Ok(Some(transition)) => {
                    instance.deciding = true;
                    actions.push(Action::Append(id.clone(), Self::append(&id, instance, &transition, now)));
                }
                Ok(None) => {}
                Err((input, reason)) => {
                    actions.push(Action::Parked(self.park_stuck(&id, input, &reason, now)));
                }
            }
        }
        actions
    }

    fn send(id: &str, instance: &mut Instance<P>, actions: &mut Vec<Action<P>>) {
        let correlation_id = instance.correlation_id.clone();
        for (output, pending) in &mut instance.outputs {
            if pending.sent || pending.kind == RecordedOutputKind::Timer {
                continue;
            }
            let origin = Origin {
                command_id: pending.command_id,
                request_hash: None,
                actor: Actor::new("process", P::NAME),
                correlation_id: correlation_id.clone(),
                causation_id: Some(pending.transition),
                reply_to: Some(ReplyTo { stream: StreamName::new(P::NAME, id), output: *output }),
            };
            let instance_id = id.to_owned();
            let output = *output;
            let action = if pending.kind == RecordedOutputKind::Command {
                P::command(&instance.state, &pending.step).map(|content| {
                    Action::Command(Outgoing { instance: instance_id, output, content, origin })
                })
            } else {
                P::effect(&instance.state, &pending.step).map(|content| {
                    Action::Effect(Outgoing { instance: instance_id, output, content, origin })
                })
            };
            // Marked as sent only here, so that an output whose rules panicked is retried.
            pending.sent = true;
            actions.extend(action);
        }
    }

    fn append(id: &str, instance: &Instance<P>, transition: &Transition<P::Move>, now: Timestamp) -> Append {
        let stream = StreamName::new(P::NAME, id);
        let next = Revision::after(instance.revision);
        let cause = instance.last_cause();
        let parts: [&[u8]; 3] = [b"transition", stream.as_str().as_bytes(), &next.0.to_be_bytes()];
        let origin = Origin {
            command_id: CommandId(derive(cause.0, &parts)),
            request_hash: None,
            actor: Actor::new("process", P::NAME),
            correlation_id: instance.correlation_id.clone(),
            causation_id: Some(cause),
            reply_to: None,
        };
        let data = encode_json(transition);
        let event: NewEvent = origin.raw_envelope(&stream, 0, P::TRANSITION, TRANSITION_VERSION, data, now);
        Append { stream, expected: Expected::from_last(instance.revision), events: vec![event] }
    }

    /// Accepts the failure of [`Action::Append`]. Returns the reason if the instance was parked.
    ///
    /// After a conflict, the instance decides again, because the log should hold a competing transition. If
    /// the conflicts continue while the process reads on, there is no such transition, and the instance is
    /// parked. A transition that is too large parks its instance at once. After a failure of the log, the
    /// instance decides again after a growing wait.
    pub fn on_append_failed(
        &mut self,
        id: &str,
        error: &AppendError,
        now: Timestamp,
    ) -> Option<ApplyFailure> {
        let instance = self.instances.get_mut(id)?;
        match error {
            AppendError::Conflict { .. } | AppendError::Duplicate { .. } => {
                if instance.conflicted_at != Some(self.position) {
                    instance.conflicts = instance.conflicts.saturating_add(1);
                    instance.conflicted_at = Some(self.position);
                }
                if instance.conflicts > CONFLICTS_MAX {
                    instance.deciding = false;
                    return Some(self.park_stuck(id, None, &error.to_string(), now));
                }
                self.decide_later(id, now);
                None
            }
            AppendError::TooLarge { .. } => {
                instance.deciding = false;
                Some(self.park_stuck(id, None, &error.to_string(), now))
            }
            AppendError::Store(_) => {
                self.decide_later(id, now);
                None
            }
        }
    }

    fn decide_later(&mut self, id: &str, now: Timestamp) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        instance.failed_appends = instance.failed_appends.saturating_add(1);
        let wait = wait_after(instance.failed_appends, id.as_bytes());
        let at = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.retries.insert((at, id.to_owned()));
    }

    /// Records that a command or effect could not be sent, because the log failed or the program has a bug.
    /// The output is sent again after a growing wait.
    pub fn on_lost(&mut self, id: &str, output: OutputId, now: Timestamp) {
        let pending = self.instances.get_mut(id).and_then(|instance| instance.outputs.get_mut(&output));
        let Some(pending) = pending else { return };
        pending.losses = pending.losses.saturating_add(1);
        let wait = wait_after(pending.losses, pending.command_id.0.as_bytes());
        let at = now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        self.resends.insert((at, id.to_owned(), output));
    }

    /// Starts the retries that are due: failed appends and outputs that could not be sent. A retry also
    /// counts as due if its time is further away than any wait, which happens after the clock was set back.
    fn start_due_retries(&mut self, now: Timestamp) {
        let too_far = now.saturating_add(LONGEST_WAIT * 2).unwrap_or(Timestamp::MAX);
        let is_due = |at: Timestamp| at <= now || at > too_far;
        for (_, id) in self.retries.extract_if(.., |(at, _)| is_due(*at)) {
            // The count is zero if the log meanwhile contained this transition or a competing one.
            let instance = self.instances.get_mut(&id).filter(|instance| instance.failed_appends > 0);
            if let Some(instance) = instance {
                instance.deciding = false;
                self.touched.insert(id);
            }
        }
        for (_, id, output) in self.resends.extract_if(.., |(at, ..)| is_due(*at)) {
            let outputs = self.instances.get_mut(&id).map(|instance| &mut instance.outputs);
            if let Some(pending) = outputs.and_then(|outputs| outputs.get_mut(&output)) {
                pending.sent = false;
                self.touched.insert(id);
            }
        }
    }

    /// Parks an instance that can't continue. `input` is the index of the waiting input that caused the
    /// problem.
    fn park_stuck(&mut self, id: &str, input: Option<usize>, reason: &str, now: Timestamp) -> ApplyFailure {
        let position = self.position;
        let failure = self.instances[id].failure(id, input, position, reason);
        self.parking.park(Parked { failure: failure.clone(), keys: vec![id.to_owned()], since: now });
        failure
    }
}
