//! Effects of processes, carried out by the simulated systems outside the shop.

use std::fmt::Debug;
use std::rc::Rc;

use souk_domain::AggregateCommand;
use souk_domain::payment::Payment;
use souk_eventsourcing::CommandId;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::process::OutputId;
use souk_eventsourcing::reactor::NoEffect;
use souk_process_managers::ProviderCall;

use crate::task::{Sender, Task};
use crate::world::World;

/// Effect of any type, carried out by a simulated system outside the shop.
pub(crate) trait SimulatedEffect: Debug + 'static {
    /// Delivers the effect to the system. `key` is the idempotency key.
    fn deliver(&self, key: CommandId, world: &mut World) -> Response;
}

/// Response of a system to an effect.
pub(crate) enum Response {
    /// No response arrives, so the effect is delivered again.
    Lost,
    /// The response changes no aggregate.
    NothingNew,
    /// The response is recorded by this command.
    Record(Box<AggregateCommand>),
}

impl SimulatedEffect for ProviderCall {
    /// Delivers a call to the provider, which responds at once, later by webhook, twice, or never.
    fn deliver(&self, key: CommandId, world: &mut World) -> Response {
        let keys = self.person().map(|person| world.disk.keys.ring_of(person)).unwrap_or_default();
        let opened = self.opened(&keys);
        let is_silent = matches!(&opened, Self::Authorize(call) if call.token.plain() == Some("silent"));
        if is_silent && world.with_faults {
            return Response::Lost;
        }
        let responses = world.provider.call(&opened, key);
        let record = |command| AggregateCommand::Payment(Payment::stream(self.payment()), command);
        world.webhooks.extend(responses.webhooks.into_iter().map(record));
        if world.with_faults && world.chance.once_in(10) {
            return Response::Lost;
        }
        responses
            .immediate
            .map_or(Response::NothingNew, |command| Response::Record(Box::new(record(command))))
    }
}

impl SimulatedEffect for NoEffect {
    fn deliver(&self, _: CommandId, _: &mut World) -> Response {
        match *self {}
    }
}

impl World {
    /// Delivers an effect of a process instance, and passes the response on.
    pub(crate) fn carry_out(
        &mut self,
        process: usize,
        instance: String,
        output: OutputId,
        effect: Rc<dyn SimulatedEffect>,
        origin: Origin,
    ) {
        match effect.deliver(origin.command_id, self) {
            Response::Lost => self.tasks.push(Task::Effect(process, instance, output, effect, origin)),
            Response::NothingNew => self.processes[process].on_effect_answered(&instance, output),
            Response::Record(command) => {
                let sender = Sender::Effect(process, instance, output);
                self.tasks.push(Task::Send(*command, origin, sender));
            }
        }
    }
}
