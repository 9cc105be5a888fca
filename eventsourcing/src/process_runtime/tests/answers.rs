//! Tests of the assignment of answers to outputs.

use super::*;
use crate::envelope::ReplyTo;

#[test]
fn an_answer_with_another_command_id_is_assigned_by_reply_to() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = world.restart();
    world.pending.extend(runtime.step(world.now));
    world.carry_out(0, &mut runtime);
    runtime.on_events(&world.log).unwrap();
    let actions = runtime.step(world.now);
    let [Action::Command(sent)] = &actions[..] else {
        panic!("the only action is the command to make the part")
    };
    let mut origin = sent.origin.clone();
    origin.command_id = CommandId(Uuid::from_u128(77));
    let envelope = origin.envelope(&sent.content.stream, 0, &sent.content.event, world.now);
    world.append(&sent.content.stream, vec![envelope]);
    runtime.on_events(&world.log).unwrap();
    assert!(
        matches!(runtime.step(world.now)[..], [Action::Append(..)]),
        "the answer leads to the next transition"
    );
}

#[test]
fn an_answer_to_another_process_is_ignored() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = world.restart();
    world.pending.extend(runtime.step(world.now));
    world.carry_out(0, &mut runtime);
    runtime.on_events(&world.log).unwrap();
    let actions = runtime.step(world.now);
    let [Action::Command(sent)] = &actions[..] else {
        panic!("the only action is the command to make the part")
    };
    let mut origin = sent.origin.clone();
    origin.reply_to = origin.reply_to.map(|to| ReplyTo { stream: StreamName::new("other", "a"), ..to });
    let envelope = origin.envelope(&sent.content.stream, 0, &sent.content.event, world.now);
    world.append(&sent.content.stream, vec![envelope]);
    runtime.on_events(&world.log).unwrap();
    assert!(runtime.step(world.now).is_empty());
}
