//! Answers find the output they belong to.

use super::*;
use crate::envelope::ReplyTo;

#[test]
fn an_answer_may_have_an_id_of_its_own() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = world.restart();
    world.out.extend(runtime.step(world.now));
    world.carry_out(0, &mut runtime);
    runtime.on_events(&world.log).unwrap();
    let actions = runtime.step(world.now);
    let [Action::Command(out)] = &actions[..] else { panic!("the part is to be made") };
    let mut origin = out.origin.clone();
    origin.command_id = CommandId(Uuid::from_u128(77));
    let envelope = origin.envelope(&out.content.stream, 0, &out.content.event, world.now);
    world.append(&out.content.stream, vec![envelope]);
    runtime.on_events(&world.log).unwrap();
    assert!(matches!(runtime.step(world.now)[..], [Action::Append(..)]), "the part is made: paint it");
}

#[test]
fn an_answer_to_another_process_is_none_of_its_business() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = world.restart();
    world.out.extend(runtime.step(world.now));
    world.carry_out(0, &mut runtime);
    runtime.on_events(&world.log).unwrap();
    let actions = runtime.step(world.now);
    let [Action::Command(out)] = &actions[..] else { panic!("the part is to be made") };
    let mut origin = out.origin.clone();
    origin.reply_to = origin.reply_to.map(|to| ReplyTo { stream: StreamName::new("other", "a"), ..to });
    let envelope = origin.envelope(&out.content.stream, 0, &out.content.event, world.now);
    world.append(&out.content.stream, vec![envelope]);
    runtime.on_events(&world.log).unwrap();
    assert!(runtime.step(world.now).is_empty());
}
